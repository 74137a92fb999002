"""What the site keeps for some days, and what ends it: `docs/how-to/personal-data.md`."""
