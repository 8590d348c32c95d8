"""LAYER 4: what Kubernetes promises, read from its objects; never from what the nodes make of them.

``services`` chooses endpoints as kube-proxy does, ``policy`` reads NetworkPolicies by the book, ``dns`` tells whom a
Pod asks for names. ``promises`` puts them together: every flow that is to work, each standing for all that the
network cannot tell from it. It knows nothing of ``dataplane``: the two are independent answers to one question.
"""
