"""Kernel objects, one file each, named as iproute2 and netfilter name them."""
