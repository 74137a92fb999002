"""Removes a person's data from everywhere: `docs/how-to/personal-data.md`."""
