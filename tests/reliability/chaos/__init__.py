"""``make chaos``: the system under traffic while its parts are killed, stopped and cut off.

``witness`` has the database itself take down what commits, ``traffic`` and ``writer`` change
things, ``faults`` breaks and heals, ``smtp`` takes the mails, and ``checks`` compares the effects
with what committed once all has come to rest.
"""
