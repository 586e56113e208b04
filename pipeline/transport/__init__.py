"""What receivers and exporters share of gRPC and HTTP: TLS, compression, headers."""
