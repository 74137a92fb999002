"""``make demo``: the whole system, driven as its users would, and what came of each thing they did.

The story says what the users do, the ledger what is due for it, the observer what happened, the
judge compares the two, and the report shows it.
"""
