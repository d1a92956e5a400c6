"""What each function works with: its settings and its ports, made by `wiring` or by a test.

A module a function, so that none loads what only another needs.
"""
