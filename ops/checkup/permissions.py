"""Whether each function's role may do what it cannot work without: query indexes, call models.

A permission on a table does not cover its indexes, and one in a region none other: the two mistakes
that are made most, and found last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from common.indexes import DUE_INDEX, EMAIL_INDEX, TIME_INDEX, USER_INDEX, WAITING_INDEX
from common.routes import Route
from ops.checkup.finding import DEPLOY_OR_REVERT, Finding, fail, ok

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient

INDEXES: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "submit": (("Jobs", WAITING_INDEX),),
        "worker": (("Jobs", USER_INDEX),),
        "status": (("Jobs", USER_INDEX), ("Jobs", WAITING_INDEX)),
        "accounts": (("Users", EMAIL_INDEX), ("Ledger", TIME_INDEX)),
        "payments": (("Payments", USER_INDEX),),
        "sweep": (("Payments", DUE_INDEX), ("Jobs", DUE_INDEX)),
        "feed": (
            ("Connections", USER_INDEX),
            ("Jobs", USER_INDEX),
            ("Jobs", WAITING_INDEX),
        ),
        "push": (("Connections", USER_INDEX), ("Jobs", WAITING_INDEX)),
    }
)
"""The indexes that each function queries, by table."""

QUERY, INVOKE = "dynamodb:Query", "bedrock:InvokeModel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A deployed function."""

    name: str
    """What it is called in our code, such as `worker`."""
    arn: str
    role_arn: str
    timeout_seconds: int

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.arn.split(":")[4]

    @property
    def region(self) -> str:
        """Where it is."""
        return self.arn.split(":")[3]


def read_functions(lambda_: LambdaClient, names: Sequence[str]) -> dict[str, Function]:
    """The stack's functions, by the names that they have in our code."""
    found = {}
    for physical in names:
        told = lambda_.get_function_configuration(FunctionName=physical)
        name = told["Handler"].split(".")[1]
        found[name] = Function(
            name=name,
            arn=told["FunctionArn"],
            role_arn=told["Role"],
            timeout_seconds=told["Timeout"],
        )
    return found


def index_check(name: str) -> str:
    """What the check of a function's indexes is called."""
    return f"indexes of {name}"


def look_at_indexes(
    iam: IAMClient, function: Function, tables: Mapping[str, str]
) -> Iterator[Finding]:
    """Judge the queries that the function makes; `tables` has their names in AWS."""
    where = f"arn:aws:dynamodb:{function.region}:{function.account}:table"
    wanted = {
        f"{table}/{index}": f"{where}/{tables[table]}/index/{index}"
        for table, index in INDEXES[function.name]
    }
    yield _judged(iam, index_check(function.name), function, QUERY, wanted)


def models_check(function: Function) -> str:
    """What the check of the models that a function calls is called."""
    return f"models of {function.name}"


def look_at_models(
    iam: IAMClient, function: Function, routes: Sequence[Route]
) -> Iterator[Finding]:
    """Judge the calls of each route's model in its region."""
    wanted = {
        route.name: f"arn:aws:bedrock:{route.region}::foundation-model/{route.model}"
        for route in routes
    }
    yield _judged(iam, models_check(function), function, INVOKE, wanted)


def _judged(
    iam: IAMClient, check: str, function: Function, action: str, wanted: Mapping[str, str]
) -> Finding:
    try:
        allowed = {name: _simulated(iam, function, action, arn) for name, arn in wanted.items()}
        how = "simulated by IAM"
    except ClientError:
        documents = _inline(iam, function)
        allowed = {name: allows(documents, action, arn) for name, arn in wanted.items()}
        how = "read from its own policies, as IAM would not simulate them"
    refused = [name for name, may in allowed.items() if not may]
    role = function.role_arn.rpartition("/")[2]
    if refused:
        return fail(
            check,
            f"{role} may not {action} on {', '.join(refused)} ({how}).",
            f"{DEPLOY_OR_REVERT}; the statement that names {wanted[refused[0]]} is missing",
        )
    return ok(check, f"{action} on {', '.join(wanted)} ({how}).")


def _simulated(iam: IAMClient, function: Function, action: str, arn: str) -> bool:
    told = iam.simulate_principal_policy(
        PolicySourceArn=function.role_arn, ActionNames=[action], ResourceArns=[arn]
    )
    return all(each["EvalDecision"] == "allowed" for each in told["EvaluationResults"])


def _inline(iam: IAMClient, function: Function) -> list[Mapping[str, Any]]:
    """The role's own policies; the stack gives no others."""
    role = function.role_arn.rpartition("/")[2]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found: list[Any] = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names
    ]
    return found


def allows(documents: Sequence[Mapping[str, Any]], action: str, arn: str) -> bool:
    """Whether policies allow an action on a resource, read plainly.

    A statement with a condition allows nothing here, as nobody knows what the call will be like.
    """
    statements = [each for document in documents for each in as_list(document["Statement"])]
    hit = [each for each in statements if _covers(each, action, arn)]
    if any(each["Effect"] == "Deny" for each in hit):
        return False
    return any(each["Effect"] == "Allow" and "Condition" not in each for each in hit)


def _covers(statement: Mapping[str, Any], action: str, arn: str) -> bool:
    actions = [each.lower() for each in as_list(statement.get("Action", []))]
    resources = as_list(statement.get("Resource", []))
    return any(fnmatchcase(action.lower(), each) for each in actions) and any(
        fnmatchcase(arn, each) for each in resources
    )


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    return value if isinstance(value, list) else [value]
