"""Buying credits."""
