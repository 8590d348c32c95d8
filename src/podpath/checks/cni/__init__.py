"""Faults of Pod networks before a packet is sent: no configuration, no address, one address twice."""
