"""What a customer does at a terminal: sign in, submit, follow, save, buy."""
