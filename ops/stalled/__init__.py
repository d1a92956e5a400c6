"""Stalled jobs and the dead-letter queue: what there is, and what an operator decides about it."""
