"""Files and folders that a reader sees whole or not at all, and names that a page can show as they are."""

import hashlib
import json
import os
import shutil
import unicodedata
from pathlib import Path
from typing import Any

from meteo_ray.errors import UsageError


def image_id(relative_path: str | bytes) -> str:
    """First 16 hex digits of sha256 of the path's bytes: one number for one place, on every machine."""
    raw = relative_path.encode("utf-8") if isinstance(relative_path, str) else relative_path
    return hashlib.sha256(raw).hexdigest()[:16]


def sha256_of(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write beside the place and rename."""
    scratch = path.with_name(f".{path.name}.tmp")
    scratch.write_text(text, "utf-8")
    os.replace(scratch, path)


def write_json(path: Path, document: Any) -> None:
    """Write a document that people can read, whole or not at all; NaN and infinity are refused with ValueError."""
    write_atomically(path, json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Raises UsageError naming the file when it cannot be read."""
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return document
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot read: {error}") from None


def replace_folder(scratch: Path, folder: Path) -> None:
    """Rename `scratch` to `folder`; what stood there is removed only after the new one is in place."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    scratch.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def visible(text: str | None) -> str:
    """The text with control and direction characters written out, so that a file name cannot pose as another."""
    shown = []
    for character in text or "":
        # Cc: control (newline, escape); Cf: format (right-to-left override, zero width); Cs: lone surrogates.
        hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        shown.append(f"\\u{ord(character):04x}" if hidden else character)
    return "".join(shown)
