"""Explanations of packets that a node does not forward: switches, source checks, martians."""
