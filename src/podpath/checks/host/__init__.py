"""Faults of nodes: ranges that meet, agents that do not run and what their logs say, limits of the kernel."""
