"""Explanations of connections that nobody takes at their end."""
