"""Boosted trees on hand-made descriptors: a model for every question, whose log-odds vote beside a network.

Trees and a small network err on different images: trees on a thousand real charts know colours and textures, the
network knows shapes. LightGBM's models are text, which reading cannot turn into code.
"""

import lzma
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meteo_ray.bundle import folder_named
from meteo_ray.errors import UsageError
from meteo_ray.voters.descriptors import FEATURES

if TYPE_CHECKING:
    from lightgbm import Booster

TREES, COMPACT_TREES = "trees.txt", "trees.txt.xz"
"""As training writes them; cut and compressed, see `compact_trees`."""

# A question with fewer rows of either answer gets no trees: a leaf holds min_data_in_leaf of them.
LEAST_ROWS = 5

# With fewer rows earlier trees stay as they are: further ones, learnt from 90 images, took a gate's AUC on unseen
# sources from 0.968 to 0.923 in one case and from 0.934 to 0.943 in another; from 270 it rose in both.
LEAST_ROWS_FURTHER = 200

# Extremely randomised splits (Geurts et al. 2006) on a third of the descriptors a tree: the gate's AUC on unseen real
# sources was 0.931, where scikit-learn's boosting with exact splits had 0.921 (docs/results.md).
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

# Heads a question's model in the file.
QUESTION = re.compile(r"^# question (\d+)$\n", re.MULTILINE)


def check_installed() -> None:
    """Raise UsageError where LightGBM cannot be loaded: before the work that would need it at its end."""
    _lightgbm()


@dataclass(frozen=True)
class Trees:
    """A LightGBM model for every question; None where too few rows could teach one."""

    VOTE: ClassVar = "trees"

    boosters: "tuple[Booster | None, ...]"

    @classmethod
    def fit(
        cls,
        descriptors: NDArray[np.float32],
        targets: ArrayLike,
        weights: ArrayLike,
        seed: int,
        rounds: int,
        earlier: "Trees | None" = None,
        further: int = 1,
    ) -> Self:
        """Fit on descriptors `(rows, FEATURES)` and targets `(rows, questions)`; yes and no weigh the same in all.

        Args:
            weights: how much each row counts within its answer, `(rows,)`.
            rounds: trees of each question.
            earlier: trees of an earlier model, kept; new ones learn what those get wrong.
            further: how many of those, at least 1, for each question that the earlier model has trees for; none of
                fewer than LEAST_ROWS_FURTHER rows.
        """
        found = []
        for number, truth in enumerate(np.asarray(targets, dtype=bool).T):
            before = earlier.boosters[number] if earlier else None
            enough = min(truth.sum(), (~truth).sum()) >= LEAST_ROWS
            enough &= before is None or len(truth) >= LEAST_ROWS_FURTHER
            count = further if before else rounds
            found.append(_boosted(descriptors, truth, weights, seed, count, before) if enough else before)
        return cls(tuple(found))

    def votes(self, descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-odds float32 `(rows, questions)` of descriptors `(rows, FEATURES)`; 0 where there are no trees."""
        votes = np.zeros((len(descriptors), len(self.boosters)), dtype=np.float32)
        for number, booster in enumerate(self.boosters):
            if booster is not None and len(descriptors):
                votes[:, number] = booster.predict(descriptors, raw_score=True, num_threads=1)
        return votes

    def write(self, folder: Path) -> None:
        """Write trees.txt into a bundle's folder."""
        models = [(number, booster) for number, booster in enumerate(self.boosters) if booster is not None]
        text = "".join(f"# question {number}\n{booster.model_to_string()}" for number, booster in models)
        (folder / TREES).write_text(text, "utf-8")

    @classmethod
    def read(cls, folder: Path, questions: int) -> Self:
        """The trees of a bundle's folder. Raises UsageError when they are missing, damaged or made for others."""
        lightgbm, boosters = _lightgbm(), dict["int", "Booster"]()
        path = trees_file(folder) or folder / TREES
        try:
            parts = QUESTION.split(_text(path))
            for number, model in zip(parts[1::2], parts[2::2], strict=True):
                boosters[int(number)] = lightgbm.Booster(model_str=model)
        except (OSError, UnicodeDecodeError, lzma.LZMAError, lightgbm.basic.LightGBMError) as error:
            raise UsageError(f"{path}: cannot be read ({error}); train the model again") from None
        made_for = {booster.num_feature() for booster in boosters.values()} - {FEATURES}
        if made_for or max(boosters, default=-1) >= questions or parts[0]:
            raise UsageError(
                f"{path}: damaged or of another version: reads {made_for or FEATURES} descriptors where "
                f"there are {FEATURES}, answers question {max(boosters, default=-1)} of {questions}; train it again"
            )
        return cls(tuple(boosters.get(number) for number in range(questions)))


def bundle_with_trees(init: str) -> Path | None:
    """The bundle with trees that `init` names, see `bundle.folder_named`; whose questions they answer is not asked."""
    folder = folder_named(init)
    return folder if trees_file(folder) else None


def trees_file(folder: Path) -> Path | None:
    """The file of a bundle's folder that holds its trees; None where there are none."""
    return next((path for name in (TREES, COMPACT_TREES) if (path := folder / name).is_file()), None)


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (lzma.decompress(data) if path.name == COMPACT_TREES else data).decode("utf-8")


def _boosted(
    descriptors: NDArray[np.float32],
    truth: NDArray[np.bool_],
    weights: ArrayLike,
    seed: int,
    rounds: int,
    earlier: "Booster | None",
) -> "Booster":
    share = np.array(weights, dtype=np.float64)
    for members in (truth, ~truth):
        share[members] *= 0.5 * len(truth) / max(share[members].sum(), 1e-12)
    lightgbm = _lightgbm()
    dataset = lightgbm.Dataset(descriptors, label=truth.astype(int), weight=share, params={"verbosity": -1})
    found: Booster = lightgbm.train({**SETTINGS, "seed": seed}, dataset, num_boost_round=rounds, init_model=earlier)
    return found


def _lightgbm() -> Any:
    """LightGBM, imported late: its wheel needs the system's OpenMP library, which only stages with trees use."""
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise UsageError(
            f"LightGBM cannot be loaded ({error}); install it and the system's OpenMP library (libgomp1 on Debian and "
            "Ubuntu), or train without trees (--no-gate.descriptors, --no-elements.descriptors)"
        ) from None
    return lightgbm
