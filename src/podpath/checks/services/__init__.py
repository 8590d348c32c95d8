"""Explanations of Services that are not translated, or to the wrong server."""
