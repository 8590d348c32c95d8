"""podpath finds out why a packet does not arrive in a Kubernetes cluster."""

__version__ = "0.1.0"
