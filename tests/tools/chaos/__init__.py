"""``make chaos``: the system under traffic while its parts are killed, stopped, frozen and cut off.

``witness`` has the database itself take down what commits. ``traffic`` and ``writer`` change
things, and ``caller`` calls ``tasks`` that fail and hang as their ``fates`` say. ``faults`` and
``frozen`` break and heal, and ``smtp`` takes the mails. ``checks`` compares the effects with what
committed once all has come to rest, and ``endings`` the end of each call with its fate.
"""
