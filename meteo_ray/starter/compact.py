"""A trained bundle of gate or elements, made so small that it can travel with the package."""

import lzma
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from meteo_ray import bundle
from meteo_ray.compact_weights import packed
from meteo_ray.files import read_json, write_json
from meteo_ray.voters.boosted_trees import COMPACT_TREES, TREES
from meteo_ray.voters.compact_trees import compact
from meteo_ray.voters.text_voter import TEXT_VOTER

NOTHING: Mapping[str, str] = MappingProxyType({})


def write_compact(
    source: Path,
    target: Path,
    stage: str,
    made_small: Mapping[str, str] = NOTHING,
) -> tuple[str, str]:
    """Write the bundle in `source` to `target`: weights in int8, trees cut and compressed, words in half precision.

    Predictors and trainings read it like any other. Thresholds and calibration stay those of the whole model. The
    versions of both come back, the whole one's first.

    Args:
        made_small: versions of earlier stages' whole bundles, and of the small ones that answer in their place: a stage
            that learnt from the answers of the former is told that the latter are as good.

    Raises:
        UsageError: when `source` holds no whole bundle of the stage, or `target` something that is none.
    """
    version = bundle.check(source, stage)
    with bundle.writing(target) as folder:
        for file in sorted(source.iterdir()):
            if file.name == bundle.WEIGHTS:
                save_file(packed(bundle.read_weights(source)), folder / file.name)
            elif file.name == TREES:
                trees = compact(file.read_text("utf-8"))
                (folder / COMPACT_TREES).write_bytes(lzma.compress(trees.encode(), preset=9))
            elif file.name == TEXT_VOTER:
                arrays = {name: values.astype(np.float16) for name, values in load_arrays(file).items()}
                save_arrays(arrays, folder / file.name)
            elif file.name == bundle.CONFIG:
                write_json(folder / file.name, _answered_by(read_json(file), made_small))
            elif file.is_file() and file.name != bundle.SUMS:
                shutil.copyfile(file, folder / file.name)
    return version, bundle.check(target, stage)


def _answered_by(config: dict[str, Any], made_small: Mapping[str, str]) -> dict[str, Any]:
    answered = config.get("answered_by")
    if not answered:
        return config
    return {**config, "answered_by": {name: made_small.get(known, known) for name, known in answered.items()}}
