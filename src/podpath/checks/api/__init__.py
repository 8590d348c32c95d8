"""Faults around the API server: not reached, not allowed, and the Services that it calls itself."""
