"""The pages of the site, by what they are about."""
