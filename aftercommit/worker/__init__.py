"""The worker's side of a call: what happens between its wake-up and its end.

``draining`` (the task that a wake-up is) → ``drain`` → ``claim`` → ``run`` → ``settle``. Outside
effects have a ``lease``. ``sweep`` finds what no wake-up reached, and ``crashes`` what a process
left behind that died.
"""
