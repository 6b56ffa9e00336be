"""What a decoder that was taken over might say, of shared memory above all; runs in the guarded child."""

import json
import socket
import sys
import time
from typing import Any

from meteo_ray.imaging.messages import send

CLAIMS: dict[str, Any] = {"too many": 2**40, "too few": 7, "no number": "all"}


def lie(name: str) -> None:
    """Answer in the place of the child's main loop, and stay."""
    about = {"sha256": "", "width": 1, "height": 1, "format": "PNG", "n_frames": 1, "shape": [48, 64, 3]}
    header = {"fields": about, "payload": False, "shared": CLAIMS.get(name)}
    answer = "[" * 10**5 if name == "brackets" else json.dumps(header)
    send(socket.socket(fileno=int(sys.argv[1])), answer.encode())
    time.sleep(600)
