"""What happens: a connection traced through the network as its kernels would carry it."""
