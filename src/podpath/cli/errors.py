"""What a command says when it cannot do what it was asked."""

from __future__ import annotations


class UsageError(Exception):
    """A question that cannot be asked so; the message is one sentence, with what to write instead."""
