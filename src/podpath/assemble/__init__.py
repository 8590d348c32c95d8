"""Facts joined into one network: veth to its peer, Pod to its namespace, Service to its endpoints."""
