"""Whether each route's model is there, may be called, and as often as the route wants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from common.aws.errors import error_code
from common.models.catalogue import find
from common.routes import Route
from ops.checkup.asking import said
from ops.checkup.finding import Finding, fail, ok, warn

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_service_quotas import ServiceQuotasClient

SOON_DAYS = 90
"""How long before its end of life a model is warned of."""
_NOT_THERE = ("ResourceNotFoundException", "ValidationException")
_OTHER_MODEL = "another model or region in routes of cdk.json"


def checks(route: Route) -> tuple[str, str, str]:
    """What the checks of a route are called: of its model, its access and its quota."""
    return f"model {route.name}", f"access {route.name}", f"quota {route.name}"


def look_at_model(bedrock: BedrockClient, route: Route, *, today: date) -> Iterator[Finding]:
    """Ask the route's region about the model."""
    try:
        details: Any = bedrock.get_foundation_model(modelIdentifier=route.model)["modelDetails"]
    except ClientError as error:
        if error_code(error) not in _NOT_THERE:
            raise
        there = f"{route.region} does not have it: {said(error)}"
        yield fail(checks(route)[0], there, _OTHER_MODEL)
        return
    yield lifecycle(route, details.get("modelLifecycle", {}), today=today)


def lifecycle(route: Route, told: Mapping[str, Any], *, today: date) -> Finding:
    """What Bedrock says of the model's days, and what our catalogue knows of them."""
    check, spec = checks(route)[0], find(route.model)
    told_end = told.get("endOfLifeTime")
    end = told_end.date() if told_end else spec and spec.end_of_life
    status = told.get("status", "ACTIVE")
    if end and end <= today and status != "ACTIVE":
        return fail(check, f"It left Bedrock on {end}.", _OTHER_MODEL)
    if status != "ACTIVE":
        until = f" until {end}" if end else ""
        return warn(
            check,
            f"It is {status}{until}: an account that has not used it lately may be refused.",
            _OTHER_MODEL,
        )
    if end and (end - today).days <= SOON_DAYS:
        return warn(check, f"It leaves Bedrock on {end}.", _OTHER_MODEL)
    return ok(check, f"Active{f', until {end}' if end else ''}.")


def look_at_access(bedrock: BedrockClient, route: Route) -> Iterator[Finding]:
    """Ask whether this account may call the model."""
    try:
        told: Any = bedrock.get_foundation_model_availability(modelId=route.model)
    except ClientError as error:
        if error_code(error) not in _NOT_THERE:
            raise
        yield fail(checks(route)[1], f"Nothing to have access to: {said(error)}", _OTHER_MODEL)
        return
    yield access(route, told)


def access(route: Route, told: Mapping[str, Any]) -> Finding:
    """Who must still agree to what before the model takes a call from this account."""
    check = checks(route)[1]
    agreement = told["agreementAvailability"]
    missing = []
    if told["regionAvailability"] != "AVAILABLE":
        missing.append("it is not available in the region")
    if told["entitlementAvailability"] != "AVAILABLE":
        missing.append("the account is not entitled to it")
    if told["authorizationStatus"] != "AUTHORIZED":
        missing.append("the account is not authorized")
    if agreement["status"] in ("NOT_AVAILABLE", "ERROR"):
        why = agreement.get("errorMessage")
        missing.append(f"its agreement is {agreement['status']}{f' ({why})' if why else ''}")
    if missing:
        return fail(
            check,
            f"No access: {', '.join(missing)}.",
            "call it once in Bedrock's playground there, as somebody who may "
            "aws-marketplace:Subscribe and with a payment method on the account",
        )
    if agreement["status"] == "PENDING":
        return warn(check, "Its agreement is being made; that takes up to 15 minutes.")
    return ok(check, "Agreed, authorized, entitled, and in the region.")


def look_at_quota(service_quotas: ServiceQuotasClient, route: Route) -> Iterator[Finding]:
    """Ask for the account's quotas of Bedrock in the route's region."""
    pages = service_quotas.get_paginator("list_service_quotas").paginate(ServiceCode="bedrock")
    yield quota(route, [each for page in pages for each in page["Quotas"]])


def quota(route: Route, quotas: Sequence[Mapping[str, Any]]) -> Finding:
    """The route's rate beside the quota that is named after its model.

    Quotas are found by their names, as their codes are nowhere documented: `On-demand model
    inference requests per minute for Amazon Titan Image Generator G1`. Of several the lowest
    counts. In May 2026 AWS's documentation dropped such quotas in favour of tokens; what holds for
    models that make images is not confirmed, so their absence is no more than a warning.
    """
    check, spec = checks(route)[2], find(route.model)
    title = _words(spec.title if spec else route.model)
    fitting = [
        each
        for each in quotas
        if {"on", "demand", "requests", "minute"} | title <= _words(each["QuotaName"])
    ]
    wanted = route.rate_per_second * 60
    if not fitting:
        return warn(
            check,
            f"No quota in requests a minute is listed for it; the route starts {wanted:g}.",
            f"look in the console: Service Quotas, Amazon Bedrock, {route.region}",
        )
    lowest = min(fitting, key=lambda each: float(each["Value"]))
    allowed = float(lowest["Value"])
    if allowed < wanted:
        return fail(
            check,
            f"The route starts {wanted:g} a minute, the account may {allowed:g}: calls above "
            "that are throttled.",
            f'"rate_per_second": {int(allowed / 60 * 100) / 100:g} in cdk.json, or aws '
            "service-quotas request-service-quota-increase --service-code bedrock --quota-code "
            f"{lowest.get('QuotaCode', '')} --desired-value {wanted:g} --region {route.region}",
        )
    return ok(check, f"{wanted:g} starts a minute of {allowed:g} allowed.")


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))
