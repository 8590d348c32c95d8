"""NetworkPolicies that say something else than their author meant, or that nobody enforces."""
