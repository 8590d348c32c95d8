"""What is said when a bundle cannot be used."""

from __future__ import annotations


class BundleError(Exception):
    """A bundle that cannot be read or written.

    ``str(error)`` is one sentence for the user: the file, the line where there is one, what is wrong with it and
    what to do about it.
    """
