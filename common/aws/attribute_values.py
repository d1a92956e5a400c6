"""Plain values as DynamoDB types them, and back: `7` is `{"N": "7"}`.

boto3 can do this too, and costs a cold start more than all of our own modules together; what it
knows besides, sets and binary values, nothing here stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

AttributeValue = dict[str, Any]
"""A value with its type: one of S, N, BOOL, NULL, M and L."""


def typed(value: Any) -> AttributeValue:
    """The value with its type. Raises TypeError for one that is stored nowhere, such as a float."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": str(value)}
        case int() | Decimal():
            return {"N": str(value)}
        case Mapping():
            return {"M": {name: typed(each) for name, each in value.items()}}
        case Sequence() if not isinstance(value, bytes | bytearray):
            return {"L": [typed(each) for each in value]}
    raise TypeError(f"{type(value).__name__} is not stored: {value!r}")


def plain(value: Mapping[str, Any]) -> Any:
    """The value without its type; numbers are Decimal. Raises TypeError for an unknown type."""
    ((kind, content),) = value.items()
    match kind:
        case "S" | "BOOL":
            return content
        case "N":
            return Decimal(content)
        case "NULL":
            return None
        case "M":
            return {name: plain(each) for name, each in content.items()}
        case "L":
            return [plain(each) for each in content]
    raise TypeError(f"{kind} is a type that is not stored here")
