"""Redis as the broker and as the cache, with clients that are kept."""
