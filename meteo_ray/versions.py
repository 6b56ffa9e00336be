"""What ran: the versions that every run folder, bundle and summary records."""

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "meteo_ray", "ray", "torch", "torchvision", "transformers", "peft", "bitsandbytes", "lightgbm", "pillow", "pyarrow",
)  # fmt: skip


@cache
def code_version() -> str:
    """This package's version with a digest of its code: two checkouts of one version differ."""
    package, digest = Path(__file__).parent, hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package)}\n".encode() + file.read_bytes())
    return f"{versions()['meteo_ray']} (code {digest.hexdigest()[:8]})"


def versions() -> dict[str, str]:
    """Package name -> installed version (or "absent"), and Python's own."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
