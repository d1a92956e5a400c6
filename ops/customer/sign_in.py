"""Signing people in, on the local run or on AWS."""

from __future__ import annotations

from ops.customer.client import Client
from ops.customer.passwords import known_password
from ops.stack import Stack
from sandbox.errors import CommandError
from sandbox.people import LOCAL_PERSON, Person


def token_of(stack: Stack, email: str) -> str:
    """An ID token of the person, good for an hour. Raises CommandError."""
    if stack.local is not None and email == LOCAL_PERSON:
        password = stack.local.person_password
    else:
        password = known_password(email)
    return stack.people.sign_in(Person(email, password))


def client_as(stack: Stack, email: str | None) -> Client:
    """The API as that person; on the local run its own person needs no naming.

    Raises CommandError.
    """
    if email is None and stack.local is None:
        raise CommandError("Say as whom: --as EMAIL (bin/imagify people add makes somebody).")
    return Client(stack.api_url, token_of(stack, email or LOCAL_PERSON))
