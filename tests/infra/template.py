"""A synthesized template, read by the names that the code gives things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
FUNCTIONS = ("submit", "worker", "status", "accounts", "payments", "sweep", "feed", "push")


@dataclass(frozen=True, slots=True)
class Template:
    """One stack, as CloudFormation gets it."""

    content: Json
    assembly: Path
    root: str = "Imagify"
    """What its constructs' paths begin with."""

    def of_type(self, kind: str) -> dict[str, Json]:
        """The properties of all resources of a type, by their construct's path."""
        return {
            self._name(logical_id): resource.get("Properties", {})
            for logical_id, resource in self.content["Resources"].items()
            if resource["Type"] == kind
        }

    def one(self, kind: str) -> Json:
        """The properties of the only resource of a type."""
        (properties,) = self.of_type(kind).values()
        return properties

    def function(self, name: str) -> Json:
        """The properties of the function that runs `functions/<name>`."""
        functions = self.of_type("AWS::Lambda::Function").values()
        (found,) = (f for f in functions if f["Handler"] == f"functions.{name}.handler.handler")
        return found

    def sources(self, name: str) -> list[Json]:
        """What brings events to `functions/<name>`: its event source mappings."""
        mappings = self.of_type("AWS::Lambda::EventSourceMapping").values()
        functions = self.of_type("AWS::Lambda::Function")
        return [
            mapping
            for mapping in mappings
            if functions[self.text(mapping["FunctionName"])] is self.function(name)
        ]

    def routes(self, api: str) -> dict[str, Json]:
        """The routes of an API, by their keys."""
        routes = self.of_type("AWS::ApiGatewayV2::Route").values()
        return {route["RouteKey"]: route for route in routes if self.text(route["ApiId"]) == api}

    def environment(self, name: str) -> dict[str, str]:
        """The function's variables; what only AWS knows is named by its construct."""
        variables = self.function(name)["Environment"]["Variables"]
        return {key: self.text(value) for key, value in variables.items()}

    def statements(self, name: str) -> list[tuple[list[str], list[str]]]:
        """What the function's role may do: actions and resources of each statement."""
        role: str = self.function(name)["Role"]["Fn::GetAtt"][0]
        return self.statements_of(role)

    def statements_of(self, role: str) -> list[tuple[list[str], list[str]]]:
        """The same for a role by its logical id."""
        found = []
        for policy in self.of_type("AWS::IAM::Policy").values():
            if {"Ref": role} in policy["Roles"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    assert statement["Effect"] == "Allow"
                    resources = [self.text(item) for item in as_list(statement["Resource"])]
                    found.append((as_list(statement["Action"]), resources))
        return found

    def permissions(self, name: str) -> dict[str, set[str]]:
        """The actions that the function's role may do, by resource."""
        by_resource: dict[str, set[str]] = {}
        for actions, resources in self.statements(name):
            for resource in resources:
                by_resource.setdefault(resource, set()).update(actions)
        return by_resource

    def text(self, value: Any) -> str:
        """A value with its references spelled as `Construct/Path` or `Construct/Path.Attribute`."""
        if isinstance(value, Mapping):
            ((function, argument),) = value.items()
            if function == "Ref":
                return self._name(argument)
            if function == "Fn::GetAtt":
                return f"{self._name(argument[0])}.{argument[1]}"
            if function == "Fn::Join":
                return str(argument[0]).join(self.text(part) for part in argument[1])
            if function in {"Fn::ImportValue", "Fn::Sub"}:
                # An export has its stack's name, and what the CDK makes of the construct's.
                return str(argument)
            raise AssertionError(f"an unexpected function: {function}")
        return str(value)

    def _name(self, logical_id: str) -> str:
        resource = self.content["Resources"].get(logical_id)
        if resource is None:
            return logical_id
        path: str = resource["Metadata"]["aws:cdk:path"]
        return path.removeprefix(f"{self.root}/").removesuffix("/Resource")


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    return value if isinstance(value, list) else [value]
