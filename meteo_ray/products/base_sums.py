"""Which base model it is, by the sums of its files: every file of weights, and all else that changes an answer.

Gigabytes are hashed once: a sum is kept in the user's cache, for as long as the file's size, times and place on the
disk stay the same.
"""

import hashlib
import json
import os
import time
from pathlib import Path

from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, sha256_of, write_json

CONFIG_FILE = "config.json"
INDEX_FILE, SINGLE_FILE = "model.safetensors.index.json", "model.safetensors"

# What turns text into tokens and images into pixels; which of them there are differs from checkpoint to checkpoint.
READERS = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "processor_config.json",
    "preprocessor_config.json",
)

# Bytes from which on a sum is kept: 64 MB are hashed in a tenth of a second.
LARGE = 64 * 2**20

# A file written less than this ago may change again within one tick of a slow file system's clock (2 s on FAT, 1 s on
# old NFS): its sum is not kept.
SETTLED_S = 3.0


def weight_files(folder: Path) -> list[str]:
    """The index of a split checkpoint and every file that it names, or the one file.

    Raises:
        UsageError: when the index cannot be read, or names what is not there.
    """
    if not (folder / INDEX_FILE).is_file():
        return [SINGLE_FILE]
    try:
        parts = sorted({str(name) for name in read_json(folder / INDEX_FILE)["weight_map"].values()})
    except (KeyError, AttributeError, TypeError):
        raise UsageError(f"{folder / INDEX_FILE}: no index of weights (weight_map)") from None
    missing = [name for name in parts if not (folder / name).is_file()]
    if missing:
        raise UsageError(f"{folder}: {INDEX_FILE} names files that are not there: {', '.join(missing)}")
    return [INDEX_FILE, *parts]


def base_sums(folder: Path, with_weights: bool = True) -> dict[str, str]:
    """File name -> sha256 of all that an answer depends on."""
    names = [CONFIG_FILE, *(weight_files(folder) if with_weights else ())]
    return {name: kept_sha256(folder / name) for name in (*names, *READERS) if (folder / name).is_file()}


def digest_of(sums: dict[str, str]) -> str:
    """One name, 64 hex digits, for a whole set of sums."""
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()


def kept_sha256(path: Path) -> str:
    """`sha256_of`, but cheap the second time. A cache that cannot be read or written costs time and nothing else."""
    path = path.resolve()  # a hub cache holds links
    facts = _facts(path)
    if path.stat().st_size < LARGE:
        return sha256_of(path)
    known = _read_kept(path, facts)
    if known:
        return known
    found = sha256_of(path)
    if facts == _facts(path) and time.time() - path.stat().st_mtime > SETTLED_S:
        _keep(path, facts, found)
    return found


def _read_kept(path: Path, facts: list[str | int]) -> str | None:
    try:
        document = json.loads(_kept_file(path).read_text("utf-8"))
        return str(document["sha256"]) if document["facts"] == facts else None
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):  # RuntimeError: nobody's home
        return None


def _keep(path: Path, facts: list[str | int], sha256: str) -> None:
    try:
        kept = _kept_file(path)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, {"facts": facts, "sha256": sha256})
    except (OSError, RuntimeError):
        pass


def _facts(path: Path) -> list[str | int]:
    """What changes when the file's bytes do; the time of the last change of anything cannot be set back by hand."""
    facts = path.stat()
    return [str(path), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_dev, facts.st_ino]


def _kept_file(path: Path) -> Path:
    """A small file for each path, so that processes never write to the same one with different things in mind."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "meteo_ray" / "sums" / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"
