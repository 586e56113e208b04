#!/usr/bin/env bash
# Makes the topics of the two tiers (docs/kafka.md) where they are absent. Runs in Kafka's own image; KAFKA is host:port.
set -eu
make() {
  /opt/kafka/bin/kafka-topics.sh --bootstrap-server "$KAFKA" --create --if-not-exists --topic "$@"
}
# as many partitions as there may be workers
make otlp_spans --partitions 4 --config retention.ms=86400000
make otlp_logs --partitions 4 --config retention.ms=86400000
make penstock_dead_letters --partitions 1
# as long as spans may be late
make penstock_decisions --partitions 4 --config retention.ms=3600000
