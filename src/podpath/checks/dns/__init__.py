"""Faults of names: the DNS Service, the Pods behind it, and what kubelets tell Pods about it."""
