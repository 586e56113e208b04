"""Ground of the Kafka receiver and exporter: client settings, encodings, producer, dead letters."""
