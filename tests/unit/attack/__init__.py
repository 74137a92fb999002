"""The tool that attacks a copy of the site."""
