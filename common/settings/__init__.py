"""What each function is told by its environment: a module a function, one variable a field.

The variable is the field's name in upper case. Values are read when a function is first used,
never at import, and a missing or malformed one is named in the error.
"""
