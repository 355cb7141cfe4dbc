"""What every Gatepost service shares: errors, gRPC bootstrap, pools, settings, logs, clock. Knows no service."""
