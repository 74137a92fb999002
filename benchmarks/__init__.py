"""How fast it is, beside its peers, all in one run: ``make bench``.

``servers`` are those that all share. A contender (``contenders``, a module for each) runs in a
process of its own (``child``) with settings of its own (``settings``), and does the same work as
the others (``shop``), in turns with them. ``measures`` has a module for each thing that is
measured; what they find (``results``) is held against the ``marks`` and shown (``report``,
``plots``).
"""
