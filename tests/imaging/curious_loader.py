"""Loaders that find out what the child knows of its surroundings, and what it may do to them."""

import json
import os
import socket
import subprocess
from pathlib import Path

from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.load import LoadedImage


def tell_environment(path: str, size: tuple[int, int]) -> LoadedImage:
    """The only way out of the child is its answer."""
    raise DecodeFailure("error", "io", json.dumps(sorted(os.environ)))


def try_everything(path: str, size: tuple[int, int]) -> LoadedImage:
    """Tries, beside the image, what a decoder that was taken over might try; `name=outcome` for each."""
    folder = Path(path).parent
    attempts = {
        "write": lambda: (folder / "new").write_text("x"),
        "remove": lambda: (folder / "keep").unlink(),
        "run": lambda: subprocess.run(["true"], check=True),
        "connect": lambda: socket.create_connection(("127.0.0.1", int((folder / "port").read_text())), 1).close(),
    }
    outcomes = []
    for name, attempt in attempts.items():
        try:
            attempt()
            outcomes.append(f"{name}=done")
        except OSError as error:
            outcomes.append(f"{name}={type(error).__name__}")
    raise DecodeFailure("error", "io", " ".join(outcomes))
