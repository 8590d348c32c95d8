"""Kubernetes objects, one file a kind, only the fields the network needs.

The structs mirror the API's own shape (``pod.spec.node_name``), so that ``msgspec`` decodes them straight from
JSON; what people ask for more often has a property (``pod.node``). Addresses, protocols and prefixes arrive as
the numbers of ``podpath.model.addr``.
"""
