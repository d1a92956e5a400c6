"""People of the local run: made and signed in as on AWS, through the user pool.

The first sign-in gives a person a user with credits: the pool asks the accounts function before it
makes a token, and the token carries our `user_id`.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from sandbox.clients import client_settings
from sandbox.errors import SandboxError
from sandbox.state import Outputs

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

LOCAL_PERSON = "you@example.com"
"""Whom the command line signs in."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a verified address."""

    email: str
    password: str


def stranger() -> Person:
    """Somebody whom nobody has met before."""
    return Person(f"{uuid.uuid4().hex[:12]}@example.com", new_password())


def new_password() -> str:
    """One that the user pool's policy takes."""
    return f"{secrets.token_urlsafe(18)}-aA1"


class People:
    """The user pool of a local run."""

    def __init__(self, emulator_url: str, outputs: Outputs) -> None:
        self._cognito: CognitoIdentityProviderClient = boto3.client(
            "cognito-idp", **client_settings(emulator_url)
        )
        self._outputs = outputs

    def create(self, person: Person) -> None:
        """Make the person, whose address counts as verified."""
        pool = self._outputs.UserPoolId
        self._cognito.admin_create_user(
            UserPoolId=pool,
            Username=person.email,
            MessageAction="SUPPRESS",
            UserAttributes=[
                {"Name": "email", "Value": person.email},
                {"Name": "email_verified", "Value": "true"},
            ],
        )
        self._cognito.admin_set_user_password(
            UserPoolId=pool, Username=person.email, Password=person.password, Permanent=True
        )

    def sign_in(self, person: Person) -> str:
        """The person's ID token, good for the API."""
        answer = self._cognito.initiate_auth(
            ClientId=self._outputs.UserPoolClientId,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": person.email, "PASSWORD": person.password},
        )
        token = answer.get("AuthenticationResult", {}).get("IdToken")
        if token is None:
            raise SandboxError(f"{person.email} could not sign in: the pool gave no token.")
        return token
