"""The `imagify` command line: `commands` read what was typed, and the other packages do it."""
