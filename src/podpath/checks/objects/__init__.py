"""Faults that Kubernetes objects state by themselves: Services, endpoints, Ingresses, load balancers."""
