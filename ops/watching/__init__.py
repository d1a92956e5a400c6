"""How a stack is doing, and what it has logged."""
