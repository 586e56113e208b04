"""What exporters to Prometheus share: names, labels, the keys that choose them, and the count of what does not fit."""
