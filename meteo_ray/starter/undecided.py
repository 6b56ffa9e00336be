"""On how many images of its validation a gate is undecided: for one that was trained before trainings noted it."""

from pathlib import Path

from meteo_ray.batch import objects
from meteo_ray.calibration.undecided import is_undecided, undecided_share
from meteo_ray.gate.predictor import GatePredictor
from meteo_ray.gate.rows import gate_rows
from meteo_ray.imaging.augment_config import UNALTERED
from meteo_ray.schema import VALIDATION
from meteo_ray.streaming.index import read_index
from meteo_ray.streaming.pixels import PIXEL_COLUMNS, PreparePixels

# Images in memory at once, 15 MB at 320x240.
IMAGES = 64


def gate_undecided(gate: Path, data: Path) -> float | None:
    """The share, on the pixels alone; None where the validation split of `data`, a prepared folder, is too small.

    Raises:
        UsageError: when the bundle cannot be used or the folder is not prepared.
    """
    predictor, pixels = GatePredictor.load(gate), PreparePixels(data, 0, None, UNALTERED)
    rows = gate_rows(read_index(data), VALIDATION, skip_ambiguous=True).select(PIXEL_COLUMNS)
    undecided = images = 0
    for start in range(0, rows.num_rows, IMAGES):
        part = rows.slice(start, IMAGES)
        batch = pixels({name: objects(part[name].to_pylist()) for name in PIXEL_COLUMNS})
        scores = predictor({"image": batch["image"][batch["ok"]]})["gate_score"]
        undecided, images = undecided + int(is_undecided(scores).sum()), images + len(scores)
    return undecided_share(undecided, images)
