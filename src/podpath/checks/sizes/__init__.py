"""Explanations of full-size data that does not fit."""
