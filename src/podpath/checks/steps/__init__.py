"""What explanations ask of the step that ended a connection: whose rule it is, which route, which translation."""
