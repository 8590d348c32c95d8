"""Text to facts: one pure function for each command that printed it."""
