"""What looks after things that nobody else finishes."""
