"""The feed: a WebSocket API, the function behind it, and the one that pushes what has changed."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from common.indexes import USER_INDEX
from common.settings.feed import FeedSettings
from common.settings.push import PushSettings
from infra.function import (
    TRACING_REASON,
    FunctionMaker,
    Parts,
    allow,
    allow_index,
    allow_items,
    live,
)
from infra.nag import accept, named

STAGE = "live"
MESSAGES_PER_SECOND = 100
MESSAGES_BURST = 200
"""What all clients together may open and say; what is pushed to them does not count."""
PUSH_TIMEOUT_SECONDS = 30
PUSH_BATCH = 100
PUSHES_BESIDE = 10
"""Batches of a shard at once, each item's changes in order: few wait for others' sockets."""
PUSH_TRIES_AGAIN = 2
PUSH_AGE_SECONDS = 60
"""Older news is not worth a push: the client has looked for itself."""

TICKET_REASON = "Whoever connects brings a ticket, which the function behind $connect uses up."
ACCESS_LOG_REASON = (
    "A WebSocket API can only log with a role that is set for the whole account, which is not this"
    " stack's to change; the function behind it logs who opens a socket."
)
SOCKETS_REASON = "The sockets of this API and no other; their ids are not known beforehand."
STREAMS_REASON = "Lambda's pollers list streams, which has no resource to name but `*`."


class Feed(Construct):
    """Sockets that clients open with a ticket, and on which jobs and balances are pushed."""

    def __init__(self, scope: Construct, construct_id: str, *, parts: Parts) -> None:
        super().__init__(scope, construct_id)
        self._maker = FunctionMaker(self, parts)
        self._storage = parts.storage
        self.api = apigateway.WebSocketApi(
            self, "Sockets", description="Imagify: what changes, as it changes"
        )
        self.function = self._feed()
        self.push = self._push()
        self._connect()
        self.stage = apigateway.WebSocketStage(
            self,
            "Stage",
            web_socket_api=self.api,
            stage_name=STAGE,
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=MESSAGES_PER_SECOND, burst_limit=MESSAGES_BURST
            ),
        )
        accept(self.stage, "AwsSolutions-APIG1", ACCESS_LOG_REASON)

    def _connect(self) -> None:
        integration = integrations.WebSocketLambdaIntegration("Feed", live(self.function))
        for route in ("$connect", "$disconnect", "$default"):
            added = self.api.add_route(route, integration=integration)
            accept(added, "AwsSolutions-APIG4", TICKET_REASON)

    def _feed(self) -> lambda_.Function:
        store = self._storage
        role = self._maker.role("Feed")
        allow_items(role, store.connections, "PutItem", "GetItem", "DeleteItem")
        allow_index(role, store.connections, USER_INDEX)
        allow_index(role, store.jobs, USER_INDEX)
        allow_items(role, store.users, "GetItem")
        self._maker.allow_outlook(role)
        self._allow_sockets(role, "POST", "DELETE")
        return self._maker.function("Feed", role, FeedSettings, self._values(), waited_for=True)

    def _push(self) -> lambda_.Function:
        store = self._storage
        role = self._maker.role("Push")
        allow_items(role, store.connections, "DeleteItem")
        allow_index(role, store.connections, USER_INDEX)
        self._maker.allow_outlook(role)
        self._allow_sockets(role, "POST")
        push = self._maker.function(
            "Push", role, PushSettings, self._values(), timeout_seconds=PUSH_TIMEOUT_SECONDS
        )
        for table in (store.jobs, store.users):
            push.add_event_source(
                event_sources.DynamoEventSource(
                    table,
                    starting_position=lambda_.StartingPosition.LATEST,
                    batch_size=PUSH_BATCH,
                    parallelization_factor=PUSHES_BESIDE,
                    retry_attempts=PUSH_TRIES_AGAIN,
                    bisect_batch_on_error=True,
                    max_record_age=Duration.seconds(PUSH_AGE_SECONDS),
                )
            )
        accept(role, "AwsSolutions-IAM5[Resource::*]", f"{STREAMS_REASON} {TRACING_REASON}")
        return push

    def _values(self) -> dict[str, str]:
        return {
            **self._maker.outlook_values(),
            "connections_table": self._storage.connections.table_name,
            "feed_api_id": self.api.api_id,
            "feed_stage": STAGE,
        }

    def _allow_sockets(self, role: iam.Role, *methods: str) -> None:
        stack = Stack.of(self)
        api = self.api.node.default_child
        assert isinstance(api, apigateway.CfnApi)
        account = named(stack.account, "<AWS::AccountId>")
        partition = named(stack.partition, "<AWS::Partition>")
        where = f"{partition}:execute-api:{stack.region}:{account}:<{stack.get_logical_id(api)}>"
        for method in methods:
            sockets = f"{STAGE}/{method}/@connections/*"
            arn = stack.format_arn(
                service="execute-api", resource=self.api.api_id, resource_name=sockets
            )
            allow(role, [arn], "execute-api:ManageConnections")
            accept(role, f"AwsSolutions-IAM5[Resource::arn:{where}/{sockets}]", SOCKETS_REASON)
