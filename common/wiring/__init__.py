"""The one place that makes things: each function's services, on first use, from its environment.

A module a function, so that none loads what only another needs. Tests put their own in place of
these functions' results.
"""
