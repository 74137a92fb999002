"""RabbitMQ as the broker, with time limits for what the library sends."""
