"""The image and ``docker-compose.yml``, built and run for real: ``make test-containers``."""
