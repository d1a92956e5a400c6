"""What keeps the code tidy: which way imports point, how long things may be, and nothing dead."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400

OPS = tuple(
    f"ops.{name}"
    for name in (
        "checkup",
        "costs",
        "customer",
        "deployment",
        "money",
        "stalled",
        "watching",
        "stack",
    )
)
"""What commands do; the commands only read what was typed."""

FORBIDDEN: dict[str, tuple[str, ...]] = {
    "common": ("functions", "infra", "ops", "sandbox", "benchmarks", "tests"),
    "functions": ("infra", "ops", "sandbox", "benchmarks", "tests"),
    "infra": ("functions", "ops", "sandbox", "benchmarks", "tests", "common.wiring", "common.aws"),
    "ops": ("functions", "infra", "benchmarks", "tests", "common.wiring"),
    **dict.fromkeys(OPS, ("ops.cli", "ops.commands")),
    "sandbox": ("functions", "infra", "ops", "benchmarks", "tests", "common.wiring"),
}
"""What a package may not import: imports point down only."""

ADAPTERS = ("common/aws/", "common/wiring/")
"""The only part of `common` and `functions` that knows AWS."""
AWS = ("boto3", "botocore", "mypy_boto3", "common.aws")

ENTRY_POINTS = {
    f"functions.{name}.handler"
    for name in ("submit", "worker", "status", "accounts", "payments", "sweep", "feed", "push")
}
"""Modules that neither an import nor a command line starts, but Lambda."""


@cache
def committed() -> tuple[str, ...]:
    """Every file of the repository, by its path from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return tuple(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


@cache
def modules() -> dict[str, tuple[str, ast.Module]]:
    """Each Python file's path and tree, by its module's name."""
    found = {}
    for path in committed():
        if path.endswith(".py"):
            name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            found[name] = (path, ast.parse((ROOT / path).read_text(encoding="utf-8")))
    return found


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each import's line and all that it may name: `from a import b` names `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.lineno, node.module
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_down(package: str) -> None:
    wrong = [
        f"{path}:{line} imports {imported}"
        for name, (path, tree) in modules().items()
        if within(name, (package,))
        for line, imported in imports(tree)
        if within(imported, FORBIDDEN[package])
    ]
    assert wrong == []


def test_functions_never_import_each_other() -> None:
    wrong = [
        f"{path}:{line} imports {imported}"
        for name, (path, tree) in modules().items()
        if name.startswith("functions.")
        for line, imported in imports(tree)
        if imported.startswith("functions.") and imported.split(".")[1] != name.split(".")[1]
    ]
    assert wrong == []


def test_only_adapters_and_wiring_know_aws() -> None:
    wrong = [
        f"{path}:{line} imports {imported}"
        for name, (path, tree) in modules().items()
        if within(name, ("common", "functions")) and not path.startswith(ADAPTERS)
        for line, imported in imports(tree)
        if within(imported.replace("mypy_boto3_", "mypy_boto3."), AWS)
    ]
    assert wrong == []


def test_only_handlers_are_wired() -> None:
    """A use case is given what it needs."""
    wrong = [
        f"{path}:{line} imports {imported}"
        for name, (path, tree) in modules().items()
        if within(name, ("common", "functions"))
        and not name.endswith(".handler")
        and not within(name, ("common.wiring",))
        for line, imported in imports(tree)
        if within(imported, ("common.wiring",))
    ]
    assert wrong == []


def test_functions_are_short() -> None:
    wrong = []
    for path, tree in modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    wrong.append(f"{path}:{node.lineno} {node.name} has {lines} lines")
    assert wrong == []


def test_files_are_short() -> None:
    lengths = {
        path: len((ROOT / path).read_text(encoding="utf-8").splitlines())
        for path, _tree in modules().values()
    }
    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_every_module_is_imported_or_started() -> None:
    imported = {name for _path, tree in modules().values() for _line, name in imports(tree)}
    unused = [
        path
        for name, (path, tree) in modules().items()
        if name not in imported
        and name not in ENTRY_POINTS
        and not path.endswith(("/__init__.py", "/__main__.py", "/conftest.py"))
        and not Path(path).name.startswith("test_")
        and not _is_a_program(tree)
    ]
    assert unused == []
    assert set(modules()) >= ENTRY_POINTS


def _is_a_program(tree: ast.Module) -> bool:
    """Whether it can be started: it ends in `if __name__ == "__main__":`."""
    last = tree.body[-1] if tree.body else None
    return isinstance(last, ast.If) and "__main__" in ast.unparse(last.test)


def test_every_package_says_what_it_is() -> None:
    silent = [
        path
        for path, tree in modules().values()
        if path.endswith("/__init__.py")
        and not path.startswith("tests/")
        and not ast.get_docstring(tree)
    ]
    assert silent == []


PUT_OFF = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
LOCKS = ("package-lock.json", "requirements/dev.txt", "requirements/lambda.txt")


@cache
def lines() -> tuple[tuple[str, str], ...]:
    """Each line of each text file, with where it is."""
    found = []
    for path in committed():
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [(f"{path}:{number}", line) for number, line in enumerate(text.splitlines(), 1)]
    return tuple(found)


def test_no_file_names_the_machine_that_it_was_written_on() -> None:
    places = {str(place) for place in (ROOT, Path.home()) if len(place.parts) > 1}
    named = re.compile("|".join(rf"{re.escape(place)}(?![\w-])" for place in places))
    assert [where for where, line in lines() if named.search(line)] == []


def test_nothing_is_put_off() -> None:
    wrong = [where for where, line in lines() if PUT_OFF.search(line)]
    assert [where for where in wrong if not where.startswith(LOCKS)] == []


def test_the_tests_that_docs_name_are_there() -> None:
    """Docs name a test as `file::test`, or a file of tests alone."""
    missing = []
    for path in committed():
        if not path.endswith(".md"):
            continue
        for name in re.findall(r"`((?:tests|benchmarks)/[^`]+)`", (ROOT / path).read_text("utf-8")):
            file, _, test = name.partition("::")
            written = (f"def {test}(", f'test("{test}"') if test else ("",)
            there = (ROOT / file).is_file() and (ROOT / file).read_text("utf-8")
            if not there or not any(each in there for each in written):
                missing.append(f"{path}: {name}")
    assert missing == []
