"""How the site is served."""
