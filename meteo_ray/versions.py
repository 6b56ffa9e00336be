"""What ran: the versions that every run folder, bundle and summary records."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "meteo_ray", "ray", "torch", "torchvision", "transformers", "peft", "bitsandbytes", "lightgbm", "pillow", "pyarrow",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Package name -> installed version (or "absent"), and Python's own."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
