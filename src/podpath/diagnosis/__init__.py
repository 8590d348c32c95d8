"""Promises against traces: the broken ones, their causes, ranked."""
