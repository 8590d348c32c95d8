"""Explanations of packets whose source nobody can answer, and of replies that go astray."""
