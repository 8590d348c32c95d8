"""Sentences about the kernel that the tracer does not follow yet, and why. Each is a strict xfail."""

SICKBAY: dict[str, str] = {}
