"""What is promised: the connections that Kubernetes objects say must work, or must not."""
