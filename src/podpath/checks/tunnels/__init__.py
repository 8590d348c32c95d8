"""Explanations of packets that a tunnel loses between two nodes."""
