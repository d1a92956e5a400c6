"""People of a stack, the local run's or one on AWS: made and signed in through its user pool.

The first sign-in gives a person a user with credits: the pool asks the accounts function before it
makes a token, and the token carries our `user_id`.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from sandbox.clients import client_settings
from sandbox.errors import CommandError
from sandbox.state import Outputs

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

LOCAL_PERSON = "you@example.com"
"""Whom the command line signs in."""
UNFINISHED = "FORCE_CHANGE_PASSWORD"
"""Cognito's status of somebody who was made and has no password that stays."""


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
    """The user pool of a stack."""

    def __init__(self, cognito: CognitoIdentityProviderClient, outputs: Outputs) -> None:
        self._cognito = cognito
        self._outputs = outputs

    def create(self, person: Person) -> None:
        """Make the person, whose address counts as verified; nothing is mailed.

        What was cut short is finished by doing it again. Raises CommandError for somebody who is
        there already, and for a password that the pool does not take.
        """
        pool = self._outputs.UserPoolId
        try:
            self._cognito.admin_create_user(
                UserPoolId=pool,
                Username=person.email,
                # So the pool looks at the password before it makes anybody.
                TemporaryPassword=person.password,
                MessageAction="SUPPRESS",
                UserAttributes=[
                    {"Name": "email", "Value": person.email},
                    {"Name": "email_verified", "Value": "true"},
                ],
            )
        except self._cognito.exceptions.UsernameExistsException:
            if self._status(person.email) != UNFINISHED:
                raise CommandError(f"There is somebody with the address {person.email}.") from None
        except self._cognito.exceptions.InvalidPasswordException as error:
            raise CommandError(_said(error)) from None
        self._cognito.admin_set_user_password(
            UserPoolId=pool, Username=person.email, Password=person.password, Permanent=True
        )

    def sub(self, email: str) -> str:
        """What the pool calls the person. Raises CommandError for somebody unknown to it."""
        try:
            found = self._cognito.admin_get_user(
                UserPoolId=self._outputs.UserPoolId, Username=email
            )
        except self._cognito.exceptions.UserNotFoundException:
            raise CommandError(f"Nobody has the address {email}.") from None
        named = {each["Name"]: each.get("Value", "") for each in found["UserAttributes"]}
        return named["sub"]

    def sign_in(self, person: Person) -> str:
        """The person's ID token, good for the API. Raises CommandError when there is none."""
        try:
            answer = self._cognito.initiate_auth(
                ClientId=self._outputs.UserPoolClientId,
                AuthFlow="USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": person.email, "PASSWORD": person.password},
            )
        except self._cognito.exceptions.NotAuthorizedException as error:
            raise CommandError(f"{person.email} could not sign in: {_said(error)}") from None
        token = answer.get("AuthenticationResult", {}).get("IdToken")
        if token is None:
            asked = answer.get("ChallengeName", "nothing")
            raise CommandError(
                f"{person.email} could not sign in: the pool gives no token and asks for {asked}."
            )
        return token

    def _status(self, email: str) -> str:
        found = self._cognito.admin_get_user(UserPoolId=self._outputs.UserPoolId, Username=email)
        return found.get("UserStatus", "")


def local_people(emulator_url: str, outputs: Outputs) -> People:
    """Those of a local run."""
    return People(boto3.client("cognito-idp", **client_settings(emulator_url)), outputs)


def _said(error: ClientError) -> str:
    """Cognito's own sentence."""
    return error.response["Error"]["Message"]
