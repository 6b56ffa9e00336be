"""Puts every judged image into the folder of its product, as a link or as a copy.

    sorted/<product>/       charts of this product
    sorted/no_product/      charts that the products stage has not named
    sorted/not_a_chart/     what the gate turned away

A further call finds what stands right and leaves it; an image that is now judged otherwise moves. What else users lay
into these folders stays: only names that stand for an image of the predictions, in product folders that were made here,
are ever replaced or removed.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from meteo_ray.archive.results.sorted_names import LEFT_OUT, Homes, file_name, home_of, shared_beginnings
from meteo_ray.archive.results.sorted_placer import SCRATCH, Kind, Placer, holds_only_sign, is_ours
from meteo_ray.archive.results.writer import read_parts
from meteo_ray.files import SIGN, require_ours
from meteo_ray.progress import ProgressLine

logger = logging.getLogger("meteo_ray")

Originals = Callable[[dict[str, Any]], Path | bytes | None]


def sort_into_folders(predictions: Path, folder: Path, originals: Originals, kind: Kind) -> int:
    """Place every image whose row is ok below `folder`; how many stand there, new or from before, comes back.

    Interrupted, or out of disk, it goes on when it is called again: nothing stands half-written under its final name.

    Args:
        originals: where a row's image lies on this machine; or its bytes, which are copied whatever the kind; or None
            when it is gone. Of an image that is gone, what a former call placed stays.
        kind: symbolic links with absolute targets, or copies that keep the modification time.

    Raises:
        UsageError: when `folder` holds files and was not made here, cannot hold links, or when a part is damaged.
        OSError: when the disk is full or read-only.
    """
    require_ours(folder, "sorted images")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / SIGN).exists():
        (folder / SIGN).touch()
    homes = Homes()
    try:
        placed, gone = _place_all(predictions, Placer(folder, kind), originals, homes)
    finally:
        (folder / SCRATCH).unlink(missing_ok=True)
    _remove_elsewhere(folder, homes)
    if gone:
        logger.warning("%s: %d images left out, because their originals are gone", folder, gone)
    return placed


def _place_all(predictions: Path, placer: Placer, originals: Originals, homes: Homes) -> tuple[int, int]:
    """Number of images that stand in their place, and of those whose original is gone."""
    placed = gone = 0
    shared = shared_beginnings(predictions)
    progress = ProgressLine("sorting", total=None)
    for table, _ in read_parts(predictions):
        for row in table.to_pylist():
            name, home = file_name(row["path"], row["image_id"], shared), home_of(row)
            if home != LEFT_OUT:
                original = originals(row)
                if original is None or not placer.place(original, home, name):
                    gone += 1
                    continue  # no home: a copy may be all that is left of it
                placed += 1
            homes.add(name, home)
        progress.update(table.num_rows)
    progress.close()
    return placed, gone


def _remove_elsewhere(folder: Path, homes: Homes) -> None:
    """Remove images from product folders in which they no longer belong; a folder that this empties goes too."""
    find = homes.finder()
    with os.scandir(folder) as found:
        ours = [Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False)]
    for product in ours:
        if is_ours(product) and _remove_strays(product, find) and holds_only_sign(product):
            (product / SIGN).unlink()
            product.rmdir()


def _remove_strays(product: Path, find: Callable[[str], str | None]) -> int:
    removed = 0
    with os.scandir(product) as found:
        for entry in found:
            home = find(entry.name)
            if home is None or home == product.name or entry.is_dir(follow_symlinks=False):
                continue
            if _may_go(Path(entry.path), home):
                os.unlink(entry.path)
                removed += 1
    return removed


def _may_go(stray: Path, home: str) -> bool:
    if home == LEFT_OUT:
        return stray.is_symlink()  # a copy may be the last good one of a file that is broken now
    try:
        at_home = (stray.parent.parent / home / stray.name).lstat()
    except FileNotFoundError:
        return False
    # On shares that ignore case two products may have one folder, and then this is no second file.
    return not os.path.samestat(stray.lstat(), at_home)
