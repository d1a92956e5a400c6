"""The API of the local run, as the person whom the command line signs in."""

from __future__ import annotations

from ops.customer.client import Client
from sandbox.errors import CommandError
from sandbox.people import LOCAL_PERSON, Person, local_people
from sandbox.state import Outputs, State


def local_client(state: State) -> Client:
    """Sign you@example.com in. Raises CommandError."""
    people = local_people(state.emulator_url, outputs_of(state))
    token = people.sign_in(Person(LOCAL_PERSON, state.person_password))
    return Client(state.api_url or "", token)


def outputs_of(state: State) -> Outputs:
    """The stack's outputs. Raises CommandError while there are none."""
    if state.outputs is None:
        raise CommandError("The local run is not ready.")
    return state.outputs
