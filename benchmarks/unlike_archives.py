"""python benchmarks/unlike_archives.py --real REAL

What tells beforehand on which sources a gate errs: how far descriptors lie from those of its training images, or how
often it is undecided? In every round trees learn from four sources drawn at random, are calibrated on images of these
that they have not seen, and judge every other source. REAL is a labelled folder with the sources of its images.
"""

import argparse
import json
from pathlib import Path

import lightgbm
import numpy as np
from scipy.stats import spearmanr
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from meteo_ray.calibration.undecided import is_undecided, is_unlike
from meteo_ray.imaging.load import load_image
from meteo_ray.voters.boosted_trees import SETTINGS
from meteo_ray.voters.descriptors import describe

ROUNDS, SOURCES, LEAST_OF_A_SOURCE, TREES = 48, 4, 14, 200
FAR = 0.95  # quantile of the validation images' distances beyond which an image is far
NAMES = ("far by Mahalanobis", "far by the third neighbour", "undecided")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, required=True)
    data = parser.parse_args().real
    rows = [json.loads(line) for line in (data / "labels.jsonl").read_text("utf-8").splitlines()]
    descriptors = np.array([describe(load_image(data / row["path"]).pixels) for row in rows])
    charts = np.array([row["is_meteo"] == 1 for row in rows])
    sources = np.array([row["source"] for row in rows])
    rng = np.random.default_rng(0)
    rounds = [found for _ in range(ROUNDS) if (found := one_round(descriptors, charts, sources, rng)) is not None]
    tell(np.concatenate(rounds))


def one_round(
    descriptors: np.ndarray, charts: np.ndarray, sources: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """A line for every source judged: its error, its share by each of NAMES, the validation's error and undecided
    share; None where the drawn sources hold too few images of a kind."""
    large = sorted(name for name in set(sources) if (sources == name).sum() >= LEAST_OF_A_SOURCE)
    drawn = rng.choice(large, SOURCES, replace=False)
    learnt = rng.permutation(np.flatnonzero(np.isin(sources, drawn)))
    train, validation = np.split(learnt, [int(0.7 * len(learnt))])
    if (
        min(charts[learnt].sum(), (~charts[learnt]).sum()) < 25
        or not 5 <= charts[validation].sum() <= len(validation) - 5
    ):
        return None
    shares = [*distances(descriptors, train, validation)]
    scores = gate_scores(descriptors, charts, train, validation)
    wrong, undecided = (scores >= 0.5) != charts, is_undecided(scores)
    known = [wrong[validation].mean(), undecided[validation].mean()]
    others = [sources == name for name in large if name not in drawn]
    return np.array([[wrong[o].mean(), *(s[o].mean() for s in shares), undecided[o].mean(), *known] for o in others])


def distances(descriptors: np.ndarray, train: np.ndarray, validation: np.ndarray) -> list[np.ndarray]:
    """Which images, bool `(rows,)`, are far from the training images, by two measures."""
    covariance = LedoitWolf().fit(descriptors[train])
    neighbours = NearestNeighbors(n_neighbors=3).fit(descriptors[train])
    found = [covariance.mahalanobis(descriptors), neighbours.kneighbors(descriptors)[0][:, -1]]
    return [distance > np.quantile(distance[validation], FAR) for distance in found]


def gate_scores(descriptors: np.ndarray, charts: np.ndarray, train: np.ndarray, validation: np.ndarray) -> np.ndarray:
    dataset = lightgbm.Dataset(descriptors[train], label=charts[train].astype(int), params={"verbosity": -1})
    votes = lightgbm.train({**SETTINGS, "num_threads": 1}, dataset, TREES).predict(descriptors, raw_score=True)[:, None]
    scores: np.ndarray = LogisticRegression().fit(votes[validation], charts[validation]).predict_proba(votes)[:, 1]
    return scores


def tell(lines: np.ndarray) -> None:
    error, known_error, known_undecided = lines[:, 0], lines[:, -2], lines[:, -1]
    print(f"{len(lines)} judgements of a source; mean error {error.mean():.3f}, in validation {known_error.mean():.3f}")
    for place, name in enumerate(NAMES, start=1):
        share = lines[:, place] - (known_undecided if name == "undecided" else 0)
        rank, area = spearmanr(share, error).statistic, roc_auc_score(error > 0.25, share)
        print(f"{name:<27} median {np.median(share):.2f}  rank correlation with the error {rank:.2f}  AUC {area:.2f}")
    warned = np.array([is_unlike(share, known) for share, known in zip(lines[:, 3], known_undecided, strict=True)])
    bad = error > 2 * known_error + 0.05
    print(f"warned of {warned.mean():.2f}; error there {error[warned].mean():.3f}, else {error[~warned].mean():.3f}")
    print(f"of sources with twice the validation's error and 0.05 more {warned[bad].mean():.2f}")
    print(f"of other sources {warned[~bad].mean():.2f}")


if __name__ == "__main__":
    main()
