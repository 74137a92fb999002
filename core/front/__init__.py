"""What stands between the internet and the site's pages: the site's own middleware."""
