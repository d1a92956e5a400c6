"""The AWS emulator, with one thing done that it forgets: `python -P sandbox/mended_emulator.py`.

Cognito counts an address as verified once its owner has confirmed a sign-up with the code that was
sent to it. MiniStack confirms the person and leaves the address as it was, so that nobody who signs
up by themselves could ever sign in: the accounts function takes verified addresses only.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from ministack.app import main  # type: ignore[import-untyped]
from ministack.services import cognito  # type: ignore[import-untyped]

VERIFIED = {"Name": "email_verified", "Value": "true"}


def mend() -> None:
    """Have a confirmed sign-up verify its address."""
    confirm = cognito._confirm_sign_up  # noqa: SLF001 - there is no public way in

    def confirm_and_verify(data: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        answer: tuple[int, dict[str, str], bytes] = confirm(data)
        if answer[0] == HTTPStatus.OK:
            pool, _ = cognito._pool_for_client(data["ClientId"])  # noqa: SLF001
            user, _ = cognito._resolve_user(pool, data["Username"])  # noqa: SLF001
            others = [each for each in user["Attributes"] if each["Name"] != VERIFIED["Name"]]
            user["Attributes"] = [*others, VERIFIED]
        return answer

    cognito._confirm_sign_up = confirm_and_verify  # noqa: SLF001


if __name__ == "__main__":
    mend()
    main()
