"""Explanations of packets that a bridge, a port, a veth or a neighbour entry stops."""
