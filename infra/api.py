"""The HTTP API: every route asks for a token of our user pool, but for the named public ones."""

from __future__ import annotations

import json
from dataclasses import dataclass

import jsii
from aws_cdk import Duration
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from common.config import Config
from infra.accounts import Accounts
from infra.function import live
from infra.functions import Functions
from infra.logs import log_group
from infra.nag import accept

PUBLIC_ROUTES = {
    "GET /health": "Says only that the API is up, to monitors that have no account.",
    "GET /docs": "The manual is for people who have no account yet.",
    "GET /openapi.json": "The manual, for programs.",
    "GET /models": "The price list: the same for everybody, and no user's data.",
    "GET /packages": "The other half of the price list.",
    "GET /payments/vnpay/ipn": "VNPAY signs what it says with the merchant's secret instead.",
    "GET /payments/vnpay/return": "A customer comes back from VNPAY by a link that it has signed.",
}
"""The routes without a token, and why."""

HEAVY_ROUTES = ("GET /docs", "GET /openapi.json")
"""Public and large: at the stage's rate one reader could run up the bill for what goes out."""
HEAVY_REQUESTS_PER_SECOND = 2
HEAVY_REQUESTS_BURST = 10

ALLOWED_HEADERS = ["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Prefer"]
EXPOSED_HEADERS = ["ETag", "Location", "Preference-Applied", "Retry-After"]
PREFLIGHT_SECONDS = 3600

METHODS = {
    "GET": apigateway.HttpMethod.GET,
    "POST": apigateway.HttpMethod.POST,
    "DELETE": apigateway.HttpMethod.DELETE,
}


ACCESS_LOG_FIELDS = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "route": "$context.routeKey",
    "status": "$context.status",
    "latency_ms": "$context.responseLatency",
    "ip": "$context.identity.sourceIp",
    "user_agent": "$context.identity.userAgent",
    "user": "$context.authorizer.claims.sub",
    "error": "$context.error.message",
    "integration_error": "$context.integrationErrorMessage",
}
"""What is written down of each request; no paths with ids in them, no tokens."""


@jsii.implements(apigateway.IAccessLogSettings)
class _AccessLog:
    """The stage's access log, one line of JSON a request."""

    def __init__(self, destination: apigateway.IAccessLogDestination) -> None:
        self._destination = destination

    @property
    def destination(self) -> apigateway.IAccessLogDestination:
        """Where the lines go."""
        return self._destination

    @property
    def format(self) -> rest.AccessLogFormat:
        """What a line says."""
        return rest.AccessLogFormat.custom(json.dumps(ACCESS_LOG_FIELDS))


@dataclass(frozen=True, slots=True)
class _Backend:
    """A function and the routes that it answers."""

    name: str
    function: lambda_.Function
    routes: tuple[str, ...]


class Api(Construct):
    """An HTTP API with one stage, throttled, logged and open to browsers.

    Any origin may call it unless the configuration names some: the API knows no cookies, so a
    foreign page cannot borrow a visitor's session, and a token that it has it could send anyway.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Config,
        functions: Functions,
        feed: lambda_.Function,
        accounts: Accounts,
    ) -> None:
        super().__init__(scope, construct_id)
        self.http = apigateway.HttpApi(
            self,
            "Http",
            description="Imagify: prompts in, images out",
            create_default_stage=False,
            cors_preflight=apigateway.CorsPreflightOptions(
                allow_origins=list(config.allowed_origins),
                allow_methods=[
                    apigateway.CorsHttpMethod.GET,
                    apigateway.CorsHttpMethod.POST,
                    apigateway.CorsHttpMethod.DELETE,
                ],
                allow_headers=ALLOWED_HEADERS,
                expose_headers=EXPOSED_HEADERS,
                allow_credentials=False,
                max_age=Duration.seconds(PREFLIGHT_SECONDS),
            ),
            default_authorizer=authorizers.HttpUserPoolAuthorizer(
                "SignedIn", accounts.pool, user_pool_clients=[accounts.client]
            ),
        )
        self.stage = self._stage(config)
        for backend in _backends(functions, feed):
            self._connect(backend)
        stage = self.stage.node.default_child
        assert isinstance(stage, apigateway.CfnStage)
        stage.route_settings = {
            route: {
                "ThrottlingRateLimit": HEAVY_REQUESTS_PER_SECOND,
                "ThrottlingBurstLimit": HEAVY_REQUESTS_BURST,
            }
            for route in HEAVY_ROUTES
        }

    def _stage(self, config: Config) -> apigateway.HttpStage:
        return apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.http,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=config.requests_per_second, burst_limit=config.request_burst
            ),
            access_log_settings=_AccessLog(
                apigateway.LogGroupLogDestination(
                    log_group(self, "AccessLogs", days=config.log_retention_days)
                )
            ),
        )

    def _connect(self, backend: _Backend) -> None:
        integration = integrations.HttpLambdaIntegration(backend.name, live(backend.function))
        for route in backend.routes:
            method, path = route.split(" ")
            public = route in PUBLIC_ROUTES
            added = self.http.add_routes(
                path=path,
                methods=[METHODS[method]],
                integration=integration,
                authorizer=apigateway.HttpNoneAuthorizer() if public else None,
            )
            if public:
                for resource in added:
                    accept(resource, "AwsSolutions-APIG4", PUBLIC_ROUTES[route])
            if route in HEAVY_ROUTES:
                # API Gateway takes settings only for routes that are there.
                self.stage.node.add_dependency(*added)


def _backends(functions: Functions, feed: lambda_.Function) -> tuple[_Backend, ...]:
    return (
        _Backend("Feed", feed, ("POST /feed/tickets",)),
        _Backend("Submit", functions.submit, ("POST /jobs",)),
        _Backend(
            "Status",
            functions.status,
            (
                "GET /jobs",
                "GET /jobs/{job_id}",
                "DELETE /jobs/{job_id}",
                "GET /models",
                "GET /health",
                *HEAVY_ROUTES,
            ),
        ),
        _Backend("Accounts", functions.accounts, ("GET /me", "GET /me/ledger")),
        _Backend(
            "Payments",
            functions.payments,
            (
                "POST /payments",
                "GET /payments",
                "GET /payments/{txn_ref}",
                "GET /packages",
                "GET /payments/vnpay/ipn",
                "GET /payments/vnpay/return",
            ),
        ),
    )
