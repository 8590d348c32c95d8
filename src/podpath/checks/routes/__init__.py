"""Explanations of packets that a route leads astray, or that find none."""
