"""What `imagify` can be told: a module a command or a group of them, which reads what was typed."""
