"""Boosted trees on hand-made descriptors, whose log-odds join the network's logit.

Trees and a small network err on different images: trees on a thousand real charts know colours and textures, the
network knows shapes. LightGBM's models are text, which reading cannot turn into code.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meteo_ray.bundle import WEIGHTS
from meteo_ray.calibration.probabilities import fit_temperature
from meteo_ray.errors import UsageError
from meteo_ray.gate.descriptors import FEATURES

if TYPE_CHECKING:
    from lightgbm import Booster

TREES = "trees.txt"

ROUNDS = 1000

# Of trees that an earlier gate has learnt and these rows are to correct: 200 and 400 gave the same AUC on unseen real
# sources (docs/results.md).
FURTHER_ROUNDS = 200

# Extremely randomised splits (Geurts et al. 2006) on a third of the descriptors a tree: an AUC of 0.931 on unseen real
# sources, where scikit-learn's boosting with exact splits had 0.921 (docs/results.md).
SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "min_data_in_leaf": 5,
    "extra_trees": True,
    "feature_fraction": 0.3,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def check_installed() -> None:
    """Raise UsageError where LightGBM cannot be loaded: before the work that would need it at its end."""
    _lightgbm()


def fit_trees(
    descriptors: NDArray[np.float32],
    targets: ArrayLike,
    weights: ArrayLike,
    seed: int,
    earlier: "Booster | None" = None,
) -> "Booster":
    """Trees on descriptors `(rows, features)` and targets `(rows,)` of 0 and 1; both classes weigh the same in all.

    Args:
        weights: how much each row counts within its class, `(rows,)`.
        earlier: trees of an earlier gate, kept; the new ones learn what those get wrong.

    Raises:
        UsageError: without rows of both classes.
    """
    truth, share = np.asarray(targets, dtype=bool), np.array(weights, dtype=np.float64)
    if not 0 < truth.sum() < len(truth):
        raise UsageError(
            f"trees on descriptors need weather charts and other images; of the training images that can be read "
            f"{truth.sum()} are charts and {(~truth).sum()} are not: run jobs/prepare_data.py again"
        )
    for members in (truth, ~truth):
        share[members] *= 0.5 * len(truth) / max(share[members].sum(), 1e-12)
    lightgbm = _lightgbm()
    rows = lightgbm.Dataset(descriptors, label=truth.astype(int), weight=share, params={"verbosity": -1})
    rounds = ROUNDS if earlier is None else FURTHER_ROUNDS
    found: Booster = lightgbm.train({**SETTINGS, "seed": seed}, rows, num_boost_round=rounds, init_model=earlier)
    return found


def log_odds(trees: "Booster", descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the trees say of descriptors `(rows, features)`: float32 `(rows,)`, positive means "a weather chart"."""
    if not len(descriptors):
        return np.zeros(0, dtype=np.float32)
    return np.asarray(trees.predict(descriptors, raw_score=True, num_threads=1), dtype=np.float32)


def vote_weight(network: ArrayLike, trees: ArrayLike, targets: ArrayLike) -> float:
    """How many of the network's logits one log-odd of the trees is worth.

    Both are brought to calibrated log-odds by their temperatures on the validation split and then count alike, with
    nothing else to fit to what may be a hundred rows; the sum is calibrated again.
    """
    return fit_temperature(network, targets) / fit_temperature(trees, targets)


def write_trees(folder: Path, trees: "Booster") -> None:
    """Write trees.txt into a bundle's folder."""
    (folder / TREES).write_text(trees.model_to_string(), "utf-8")


def bundle_with_trees(init: str) -> Path | None:
    """The bundle whose trees a gate goes on with: `init` where it is such a bundle's folder, or the weights in it."""
    folder = Path(init).parent if Path(init).name == WEIGHTS else Path(init)
    return folder if (folder / TREES).is_file() else None


def read_trees(folder: Path) -> "Booster":
    """The trees of a bundle's folder. Raises UsageError when they are missing or damaged."""
    lightgbm = _lightgbm()
    try:
        found: Booster = lightgbm.Booster(model_str=(folder / TREES).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, lightgbm.basic.LightGBMError) as error:
        raise UsageError(f"{folder / TREES}: cannot be read ({error}); train the gate again") from None
    if found.num_feature() != FEATURES:
        raise UsageError(
            f"{folder / TREES}: made for {found.num_feature()} descriptors, there are {FEATURES} now; "
            "train the gate again"
        )
    return found


def _lightgbm() -> Any:
    """LightGBM, imported late: its wheel needs the system's OpenMP library, which only gates with trees use."""
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise UsageError(
            f"LightGBM cannot be loaded ({error}); install it and the system's OpenMP library (libgomp1 on Debian and "
            "Ubuntu), or train the gate with --no-gate.descriptors"
        ) from None
    return lightgbm
