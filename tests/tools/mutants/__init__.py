"""Break the code in one place at a time, and see whether a test notices: ``make mutants``.

mutate   makes the mutants of a module: its text with one place changed
run      runs the unit tests on one, in a copy of the tree
"""
