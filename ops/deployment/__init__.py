"""A stage on its way to AWS, and back."""
