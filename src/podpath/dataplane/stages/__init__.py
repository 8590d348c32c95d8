"""The stages of a packet's way, a file a part of the stack; which follows which stands in ``pipeline``."""
