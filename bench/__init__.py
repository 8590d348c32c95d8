"""Speed: goals held against floors that are measured in the same run. ``python -m bench`` prints the table."""
