"""Explanations of packets that a rule or a policy ended."""
