"""What needs another package."""
