"""LAYER 0: frozen facts about a cluster and its nodes; imports nothing of ours."""
