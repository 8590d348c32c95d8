"""One file a fault: explanations of broken promises, and checks of state."""
