from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from infra import packaging
from infra.packaging import Compiler, Package
from tests.infra.template import FUNCTIONS, Template

MIB = 1024 * 1024
LIBRARIES = {"_cffi_backend": "cffi"}
"""Whose a compiled module is that is not called like its library."""
AARCH64 = 183
"""e_machine of 64-bit ARM in an ELF header."""

IMPORT_ALL = """
import importlib, sys, sysconfig
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
for name in sys.argv[2:]:
    assert callable(importlib.import_module(f"functions.{name}.handler").handler), name
import cryptography.hazmat.primitives.asymmetric.padding  # signs images' links, imported late
import common.openapi
assert common.openapi.document() and common.openapi.page()
from botocore.session import Session
for service in (  # what common.aws.clients makes
    "apigatewaymanagementapi", "bedrock-runtime", "dynamodb", "s3", "sqs", "ssm"
):
    for region in ("ap-southeast-1", "us-west-2", "eu-west-1"):
        client = Session().create_client(service, region_name=region)
        print(service, region, client.meta.endpoint_url, client.meta.config.signature_version)
outside = {
    module.__file__
    for module in list(sys.modules.values())
    if getattr(module, "__file__", None)
    and not module.__file__.startswith((sys.argv[1], sysconfig.get_path("stdlib")))
}
assert not outside, outside
"""


@pytest.fixture(scope="session")
def package() -> Package:
    return packaging.build(libraries=True)


@pytest.fixture(scope="session")
def unpacked(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(folder)
    return folder


def endpoints() -> list[str]:
    """Where each client goes to, and how it signs, with all that botocore knows."""
    session: Any = Session()
    clients = (
        (service, region, session.create_client(service, region_name=region))
        for service in sorted(packaging.SERVICES)
        for region in ("ap-southeast-1", "us-west-2", "eu-west-1")
    )
    return [
        f"{service} {region} {client.meta.endpoint_url} {client.meta.config.signature_version}"
        for service, region, client in clients
    ]


def test_the_synthesized_asset_is_the_package(aws: Template, package: Package) -> None:
    assets = json.loads((aws.assembly / "Imagify.assets.json").read_text())["files"].values()
    (zip_path,) = (
        aws.assembly / file["source"]["path"]
        for file in assets
        if file["source"]["path"].endswith(".zip")
    )
    assert zip_path.read_bytes() == package.path.read_bytes()
    used = {json.dumps(f["Code"]) for f in aws.of_type("AWS::Lambda::Function").values()}
    assert len(used) == 1


def test_the_asset_imports_on_its_own_and_its_size_is_printed(
    package: Package, unpacked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """This machine cannot load the asset's compiled parts, so it lends its own builds of them."""
    alone = tmp_path / "asset"
    shutil.copytree(unpacked, alone)
    for module in _compiled(alone):
        library = LIBRARIES.get(module, module)
        assert importlib.metadata.version(library) == _version(alone, library)
        found = importlib.util.find_spec(module)
        assert found is not None
        assert found.origin is not None
        if (alone / module).is_dir():
            shutil.rmtree(alone / module)
            shutil.copytree(Path(found.origin).parent, alone / module)
        else:
            shutil.copy(found.origin, alone)
    lambda_env = {
        "AWS_REGION": "ap-southeast-1",
        "AWS_LAMBDA_FUNCTION_NAME": "any",
        "LAMBDA_TASK_ROOT": str(alone),
    }
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", IMPORT_ALL, str(alone), *FUNCTIONS]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=lambda_env
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == endpoints()
    with capsys.disabled():
        print(  # noqa: T201 - the size is to be seen
            f"\nLambda package: {package.zipped_bytes / MIB:.1f} MiB zipped,"
            f" {package.unzipped_bytes / MIB:.1f} MiB unzipped"
        )


def test_the_asset_fits_into_lambda_with_room_to_spare(package: Package) -> None:
    assert package.zipped_bytes < 16 * MIB
    assert package.unzipped_bytes < 48 * MIB


def test_compiled_parts_are_for_lambdas_processor_and_python(unpacked: Path) -> None:
    libraries = list(unpacked.rglob("*.so"))
    assert libraries
    for library in libraries:
        header = library.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        assert int.from_bytes(header[18:20], "little") == AARCH64
        assert ".cpython-313-aarch64-" in library.name or ".abi3." in library.name


def test_only_the_services_that_we_call_are_described(unpacked: Path) -> None:
    data = unpacked / "botocore" / "data"
    services = {entry.name for entry in data.iterdir() if entry.is_dir()}
    assert services == packaging.SERVICES


def test_the_package_holds_code_and_libraries_alone(unpacked: Path) -> None:
    names = {entry.name for entry in unpacked.iterdir()}
    assert names >= {"common", "functions", "botocore", "pydantic", "aws_lambda_powertools"}
    assert not names & {"infra", "tests", "sandbox", "ops", "bin", "build"}


def test_bytecode_is_that_of_lambdas_python_or_none(package: Package, unpacked: Path) -> None:
    bytecode = {file.name for file in unpacked.rglob("*.pyc")}
    assert all(name.endswith(".cpython-313.pyc") for name in bytecode)
    assert ("jobs.cpython-313.pyc" in bytecode) is package.bytecode


def test_a_machine_without_lambdas_python_packs_no_bytecode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    assert packaging._find_compiler() is None


def test_another_compiler_makes_another_package() -> None:
    recipes = {
        packaging._library_recipe(compiler)
        for compiler in (None, Compiler("python3.13", "3.13.0"), Compiler("python3.13", "3.13.9"))
    }
    assert len(recipes) == 3


def test_the_same_sources_give_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = packaging.build(libraries=False)
    monkeypatch.setattr(packaging, "BUILD", tmp_path)
    second = packaging.build(libraries=False)
    assert second.digest == first.digest
    assert second.path != first.path
    assert second.path.read_bytes() == first.path.read_bytes()


def test_other_code_is_another_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in packaging.CODE:
        (tmp_path / folder).mkdir()
    (tmp_path / "common" / "jobs.py").write_text("STATES = 1\n")
    monkeypatch.setattr(packaging, "REPOSITORY", tmp_path)
    monkeypatch.setattr(packaging, "BUILD", tmp_path / "build")
    before = packaging.build(libraries=False)
    (tmp_path / "common" / "jobs.py").write_text("STATES = 2\n")
    assert packaging.build(libraries=False).digest != before.digest


def test_libraries_are_taken_by_their_hashes_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[list[str]] = []

    def refuse(command: list[str]) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 1, "", "not here")

    monkeypatch.setattr(packaging, "BUILD", tmp_path / "build")
    monkeypatch.setattr(packaging, "_run", refuse)
    with pytest.raises(packaging.PackagingError):
        packaging.build(libraries=True)
    (install,) = (command for command in asked if "install" in command)
    assert {"--require-hashes", "--no-deps", str(packaging.LOCK)} <= set(install)
    pins = re.split(r"\n(?=\S)", packaging.LOCK.read_text(encoding="utf-8").strip())
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)


def test_a_failed_download_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock = tmp_path / "lambda.txt"
    lock.write_text("imagify-has-no-such-library==1.0 --hash=sha256:00\n")
    monkeypatch.setattr(packaging, "LOCK", lock)
    monkeypatch.setattr(packaging, "BUILD", tmp_path / "build")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(packaging.PackagingError, match="could not fetch the libraries"):
        packaging.build(libraries=True)


def _compiled(folder: Path) -> set[str]:
    """The modules that are compiled, or have parts that are."""
    found = {library.relative_to(folder).parts[0] for library in folder.rglob("*.so")}
    return {name.partition(".")[0] for name in found}


def _version(folder: Path, library: str) -> str:
    (info,) = folder.glob(f"{library}-*.dist-info")
    return info.name.removesuffix(".dist-info").rpartition("-")[2]
