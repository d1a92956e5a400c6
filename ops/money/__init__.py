"""Books that are held against each other, and what an operator may do with credits and payments."""
