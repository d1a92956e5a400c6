"""Generating images."""
