"""Looking at jobs, canceling them, and what can be generated."""
