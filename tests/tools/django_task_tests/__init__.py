"""Django's own tests of its task backends, run on the library's backend."""
