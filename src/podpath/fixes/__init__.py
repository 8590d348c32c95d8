"""Edits as planned steps: commands and patches with their risk and their undo; nothing is executed here."""
