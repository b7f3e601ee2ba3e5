"""A whole cluster on one machine, without containers: PostgreSQL, Kafka and each service as its own process."""
