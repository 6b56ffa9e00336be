"""How codes are scored: three databases, from the paper's to an honest one."""

from typing import Any

import numpy as np

from meteo_ray.metrics.retrieval import mean_expected_average_precision, without_itself
from meteo_ray.retrieval.bundle import unit
from meteo_ray.retrieval.codes import hamming, pack
from meteo_ray.retrieval.ranking import map_among_themselves, map_of_codes
from meteo_ray.retrieval.relevance import Classes, alike


def among_themselves(distances: np.ndarray, classes: Classes, asked: np.ndarray | None = None) -> float | None:
    """mAP of charts that no training has seen, each asking all others; of the queries `asked` `(rows,)` alone."""
    near, relevant = without_itself(distances), without_itself(alike(classes, classes))
    chosen = slice(None) if asked is None else asked
    return mean_expected_average_precision(near[chosen], relevant[chosen])


def of_codes(outputs: np.ndarray) -> np.ndarray:
    """Hamming distances among outputs `(rows, bits)`."""
    codes = pack(outputs)
    return hamming(codes, codes)


def of_features(features: np.ndarray) -> np.ndarray:
    """Cosine distances among features `(rows, features)`."""
    scaled = unit(features)
    return 1 - scaled @ scaled.T


def protocols(
    test: np.ndarray, classes: Classes, train: np.ndarray, train_classes: Classes, solved: np.ndarray | None
) -> dict[str, Any]:
    """unseen: test charts among themselves; network: they ask the training charts, encoded by the network; solved: they
    ask the codes that training solved for with the labels in hand, the protocol of the papers.

    All are outputs or codes of -1 and 1, `(rows, bits)`; expected mAP over all items, ties in any order.
    """
    asked = pack(test)
    found = {
        "unseen": map_among_themselves(asked, classes),
        "network": map_of_codes(asked, classes, pack(train), train_classes),
    }
    if solved is not None:
        found["solved"] = map_of_codes(asked, classes, pack(solved), train_classes)
    return found
