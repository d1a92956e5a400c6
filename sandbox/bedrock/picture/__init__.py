"""Draws what the simulated models answer: a printed landscape with the prompt underneath."""
