"""Find in a project's code what is not durable yet: read from its source and its registry.

``report.look()`` reads the files and returns the findings. Nothing is imported that Django has not
loaded, and nothing is changed.
"""
