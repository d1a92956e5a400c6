"""Accounts' services."""

from __future__ import annotations

import os
from functools import cache

from common.aws import clients
from common.aws.dynamo_ledger import DynamoLedger
from common.aws.dynamo_users import DynamoUserStore
from common.services.accounts import AccountsServices
from common.settings.accounts import AccountsSettings
from common.wall_clock import utc_now
from common.wiring.ids import new_id


@cache
def services() -> AccountsServices:
    """Made once, from the environment."""
    settings = AccountsSettings.from_env(os.environ)
    client = clients.dynamodb(settings.home_region)
    users, entries = settings.users_table, settings.ledger_table
    return AccountsServices(
        settings=settings,
        users=DynamoUserStore(client, users_table=users, ledger_table=entries),
        ledger=DynamoLedger(client, users_table=users, ledger_table=entries),
        now=utc_now,
        new_id=new_id,
    )
