"""Pushing what has changed to whoever listens."""
