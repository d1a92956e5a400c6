"""The `imagify` command line: one module a command, `client` to speak to the API."""
