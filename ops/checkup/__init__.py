"""What `imagify doctor` looks at: a module a concern, each asking AWS and judging the answer."""
