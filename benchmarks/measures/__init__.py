"""The measures, a module for each: its ``measure(bench)`` yields results."""
