"""The functions' code as one zip, with the locked libraries built for Lambda, without Docker.

    python -m infra.packaging

Both the libraries and the zip are named after a hash of what is in them, so an unchanged package
is not built again, and the same sources give the same bytes anywhere.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LOCK = REPOSITORY / "requirements" / "lambda.txt"
BUILD = REPOSITORY / "build"
CODE = ("common", "functions")

PYTHON_VERSION = "3.13"
PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_28_aarch64")

SERVICES = frozenset({"bedrock-runtime", "dynamodb", "s3", "sqs", "xray"})
"""The services that botocore still describes, of hundreds; the X-Ray library loads its own."""

BUILDS_KEPT = 4
"""Of each kind: another process may be using one that is not the newest."""
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first moment a zip can name; file times would make each build another package."""


class PackagingError(Exception):
    """The package could not be built; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A zip that Lambda can run."""

    path: Path
    digest: str
    """Of the contents, so it changes exactly when they do."""

    @property
    def zipped_bytes(self) -> int:
        """The zip's size."""
        return self.path.stat().st_size

    @property
    def unzipped_bytes(self) -> int:
        """What the zip unpacks to; Lambda takes at most 250 MiB."""
        with zipfile.ZipFile(self.path) as archive:
            return sum(entry.file_size for entry in archive.infolist())


def build(*, libraries: bool) -> Package:
    """The package, with the locked libraries or our code alone; raises PackagingError."""
    code = {
        file.relative_to(REPOSITORY).as_posix(): file
        for folder in CODE
        for file in _sources(REPOSITORY / folder)
    }
    recipe = hashlib.sha256()
    if libraries:
        recipe.update(_library_recipe().encode())
    for name in sorted(code):
        content = code[name].read_bytes()
        recipe.update(f"{name}\0{len(content)}\0".encode() + content)
    digest = recipe.hexdigest()
    path = BUILD / f"{'lambda' if libraries else 'code'}-{digest[:16]}.zip"
    if not path.exists():
        files = {**_library_files(), **code} if libraries else code
        _write_zip(path, files)
        _forget_old()
    return Package(path=path, digest=digest)


def _sources(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file


def _library_recipe() -> str:
    """A hash of everything that decides what the libraries' folder holds."""
    parts = (LOCK.read_text(), PYTHON_VERSION, *PLATFORMS, Path(__file__).read_text())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _library_files() -> dict[str, Path]:
    folder = BUILD / f"libraries-{_library_recipe()[:16]}"
    if not folder.exists():
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            fresh = Path(scratch) / "libraries"
            _install(fresh)
            _prune(fresh)
            _move_unless_there(fresh, folder)
    return {file.relative_to(folder).as_posix(): file for file in _sources(folder)}


def _install(target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--require-hashes", "--no-deps", "--no-compile"]
    command += ["--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", PYTHON_VERSION]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    command += ["--target", str(target), "--requirement", str(LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode != 0:
        raise PackagingError(f"pip could not fetch the libraries: {done.stderr.strip()}")


def _prune(folder: Path) -> None:
    """Remove what no function reads: other services, scripts, notes on the install.

    Each library's METADATA stays: scanners for known vulnerabilities go by it.
    """
    unused: list[Path] = [folder / "bin", folder / "boto3" / "examples"]
    for data in (folder / "botocore" / "data", folder / "boto3" / "data"):
        unused += [
            entry for entry in data.iterdir() if entry.is_dir() and entry.name not in SERVICES
        ]
    for info in folder.glob("*.dist-info"):
        unused += [info / name for name in ("RECORD", "INSTALLER", "REQUESTED", "WHEEL")]
    for path in unused:
        _remove(path)


def _move_unless_there(source: Path, target: Path) -> None:
    """Another process may have built the same in the meantime; then its folder is as good."""
    try:
        source.rename(target)
    except OSError:
        if not target.exists():
            raise


def _write_zip(path: Path, files: dict[str, Path]) -> None:
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        fresh = Path(scratch) / path.name
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, EARLIEST)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, files[name].read_bytes())
        fresh.replace(path)


def _forget_old() -> None:
    for pattern in ("lambda-*.zip", "code-*.zip", "libraries-*"):
        builds = sorted(BUILD.glob(pattern), key=lambda build: build.stat().st_mtime)
        for old in builds[:-BUILDS_KEPT]:
            _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
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
        f" {package.unzipped_bytes / mib:.1f} MiB unzipped"
    )


if __name__ == "__main__":
    main()
