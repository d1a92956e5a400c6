"""What is measured, and how. Each module prints its figures, and fails when one falls short."""
