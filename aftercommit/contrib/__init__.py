"""Hold what needs another package."""
