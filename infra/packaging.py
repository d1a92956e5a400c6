"""The functions' code as one zip, with the locked libraries built for Lambda, without Docker.

    python -m infra.packaging

Both the libraries and the zip are named after a hash of what they are made from, so an unchanged
package is not built again.

Lambda cannot write down the bytecode of what it imports, so each cold start would compile it all
again: three times the import time, measured. Where this machine has the Python that Lambda runs,
its bytecode goes into the package; where it has not, the package works all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LOCK = REPOSITORY / "requirements" / "lambda.txt"
BUILD = REPOSITORY / "build"
CODE = ("common", "functions")

PYTHON_VERSION = "3.13"
PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_28_aarch64")

SERVICES = frozenset({"apigatewaymanagementapi", "bedrock-runtime", "dynamodb", "s3", "sqs", "ssm"})
"""The services that botocore still describes, of hundreds."""
UNUSED = (
    "bin",
    *(
        f"aws_lambda_powertools/utilities/{name}"
        for name in (
            *("auth_alpha", "circuit_breaker", "data_masking", "feature_flags", "idempotency"),
            *("kafka", "parameters", "streaming", "validation"),
        )
    ),
)
"""What else nothing here imports; the tests import all of the rest from a package."""

BUILDS_KEPT = 4
"""Of each kind: another process may be using one that is not the newest."""
TASK_ROOT = "/var/task"
"""Where Lambda unpacks the zip; tracebacks name files by it."""
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first moment a zip can name; file times would make each build another package."""


class PackagingError(Exception):
    """The package could not be built; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A zip that Lambda can run."""

    path: Path
    digest: str
    """Of what the contents are made from, so it changes exactly when that does."""
    bytecode: bool
    """Whether imports are spared the compiling."""

    @property
    def zipped_bytes(self) -> int:
        """The zip's size."""
        return self.path.stat().st_size

    @property
    def unzipped_bytes(self) -> int:
        """What the zip unpacks to; Lambda takes at most 250 MiB."""
        with zipfile.ZipFile(self.path) as archive:
            return sum(entry.file_size for entry in archive.infolist())


@dataclass(frozen=True, slots=True)
class Compiler:
    """A Python of the version that Lambda runs."""

    program: str
    version: str


def build(*, libraries: bool) -> Package:
    """The package, with the locked libraries or our code alone; raises PackagingError."""
    compiler = _find_compiler() if libraries else None
    recipe = hashlib.sha256()
    if libraries:
        recipe.update(_library_recipe(compiler).encode())
    for name, file in sorted(_code_files().items()):
        content = file.read_bytes()
        recipe.update(f"{name}\0{len(content)}\0".encode() + content)
    digest = recipe.hexdigest()
    path = BUILD / f"{'lambda' if libraries else 'code'}-{digest[:16]}.zip"
    if not path.exists():
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            folder = Path(scratch) / "code"
            for name, file in _code_files().items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, folder / name)
            files = _library_files(compiler) if libraries else {}
            _compile(folder, compiler)
            _write_zip(path, files | _files(folder), scratch=Path(scratch))
        _forget_old()
    return Package(path=path, digest=digest, bytecode=compiler is not None)


def _files(folder: Path) -> dict[str, Path]:
    """Every file in the folder, by its path in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {file.relative_to(folder).as_posix(): file for file in files}


def _code_files() -> dict[str, Path]:
    """Our own files, without the bytecode of this machine's Python."""
    return {
        f"{folder}/{name}": file
        for folder in CODE
        for name, file in _files(REPOSITORY / folder).items()
        if "__pycache__" not in file.parts
    }


def _library_recipe(compiler: Compiler | None) -> str:
    """A hash of everything that decides what the libraries' folder holds."""
    parts = (LOCK.read_text(), *PLATFORMS, Path(__file__).read_text())
    version = compiler.version if compiler else "no bytecode"
    return hashlib.sha256("\0".join((version, *parts)).encode()).hexdigest()


def _library_files(compiler: Compiler | None) -> dict[str, Path]:
    folder = BUILD / f"libraries-{_library_recipe(compiler)[:16]}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            fresh = Path(scratch) / "libraries"
            _install(fresh)
            _prune(fresh)
            _compile(fresh, compiler)
            _move_unless_there(fresh, folder)
    return _files(folder)


def _install(target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--require-hashes", "--no-deps", "--no-compile"]
    command += ["--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", PYTHON_VERSION]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    command += ["--target", str(target), "--requirement", str(LOCK)]
    done = _run(command)
    if done.returncode != 0:
        raise PackagingError(f"pip could not fetch the libraries: {done.stderr.strip()}")


def _find_compiler() -> Compiler | None:
    """The Python whose bytecode Lambda's Python reads, if this machine has it."""
    program = shutil.which(f"python{PYTHON_VERSION}")
    if program is None:
        return None
    asked = _run([program, "-c", "import platform; print(platform.python_version())"])
    version = asked.stdout.strip()
    # A version manager's stand-in may be on the path without the Python behind it.
    return Compiler(program, version) if version.startswith(f"{PYTHON_VERSION}.") else None


def _compile(folder: Path, compiler: Compiler | None) -> None:
    """Put bytecode beside the sources, to be used unchecked: nobody edits a package."""
    if compiler is None:
        return
    command = [compiler.program, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", TASK_ROOT, str(folder)]
    done = _run(command)
    if done.returncode != 0:
        raise PackagingError(f"the code could not be compiled: {done.stdout.strip()}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # Sets are written in the order of their hashes, which would be another each time.
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)  # noqa: S603 - our own


def _prune(folder: Path) -> None:
    """Remove what no function reads: other services, scripts, notes on the install.

    Each library's METADATA stays: scanners for known vulnerabilities go by it.
    """
    unused = [folder / name for name in UNUSED]
    data = folder / "botocore" / "data"
    unused += [entry for entry in data.iterdir() if entry.is_dir() and entry.name not in SERVICES]
    for info in folder.glob("*.dist-info"):
        unused += [info / name for name in ("RECORD", "INSTALLER", "REQUESTED", "WHEEL")]
    for path in unused:
        _remove(path)
    _prune_endpoints(data / "endpoints.json")


def _prune_endpoints(path: Path) -> None:
    """Leave the regions, and our services' part: each process reads all of this file's megabyte."""
    endpoints = json.loads(path.read_text(encoding="utf-8"))
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in SERVICES & set(services)}
    path.write_text(json.dumps(endpoints, sort_keys=True), encoding="utf-8")


def _move_unless_there(source: Path, target: Path) -> None:
    """Another process may have built the same in the meantime; then its folder is as good."""
    try:
        source.rename(target)
    except OSError:
        if not target.exists():
            raise


def _write_zip(path: Path, files: dict[str, Path], *, scratch: Path) -> None:
    fresh = scratch / path.name
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name].read_bytes())
    fresh.replace(path)


def _forget_old() -> None:
    for pattern in ("lambda-*.zip", "code-*.zip", "libraries-*"):
        builds = sorted(BUILD.glob(pattern), key=_made_at)
        for old in builds[:-BUILDS_KEPT]:
            _remove(old)


def _made_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process removed it just now
        return 0.0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Build the package for AWS and print its size."""
    try:
        package = build(libraries=True)
    except PackagingError as error:
        sys.exit(f"imagify: {error}")
    mib = 1024 * 1024
    print(  # noqa: T201 - a command's output
        f"{package.path.relative_to(REPOSITORY)}: {package.zipped_bytes / mib:.1f} MiB zipped,"
        f" {package.unzipped_bytes / mib:.1f} MiB unzipped,"
        f" {'with' if package.bytecode else f'without (there is no python{PYTHON_VERSION} here)'}"
        " bytecode"
    )


if __name__ == "__main__":
    main()
