"""Do contenders answer alike? Nothing is compared in speed before that."""

from typing import Any

import numpy as np

from benchmarks.speed.judges import Answers

# Signatures and scores in [0, 1], of 95 % of the files; bfloat16 keeps 8 bits of a network's activations. The project
# decodes a JPEG at half size where that is enough, and there margins may be found otherwise by some pixels, or not at
# all: of JPEGs every second must have the same signature. Trees are steps, on which such an image may fall to either
# side: of JPEGs that were judged the decisions are compared, not the scores.
SCORE_LIMIT = 0.01
SHARE, SHARE_OF_JPEGS = 0.95, 0.5
CHARTS_ALIKE = 0.995
ELEMENTS_ALIKE = 0.95  # mean over charts of what is named by both, of all that is named


def agreement(answers: dict[str, Answers], reference: str, names: list[str]) -> dict[str, Any]:
    """How far the contenders' answers lie from those of `reference`, and why they do not hold where they do not.

    Returns `problems` (empty: equal outputs), the worst of each measure over contenders, and `charts`, the share that
    the reference's gate lets through.
    """
    ours = answers[reference]
    problems, scores, charts, elements = [], [0.0], [1.0], [1.0]
    for name, found in answers.items():
        if sorted(found) != names:
            problems.append(f"{name}: {len(found)} answers for {len(names)} files")
            continue
        if sorted(ours) != names:
            continue
        scores.append(max(_difference(found, ours, files, share) for files, share in _scored(ours)))
        charts.append(float(np.mean([found[file]["chart"] == ours[file]["chart"] for file in names])))
        elements.append(_alike(found, ours))
        if scores[-1] > SCORE_LIMIT:
            problems.append(f"{name}: scores differ by {scores[-1]:.4f}")
        if charts[-1] < CHARTS_ALIKE:
            problems.append(f"{name}: {1 - charts[-1]:.1%} of files judged otherwise by the gate")
        if elements[-1] < ELEMENTS_ALIKE:
            problems.append(f"{name}: elements agree to {elements[-1]:.3f}")
    return {
        "problems": problems,
        "files": len(names),
        "score_difference": max(scores),
        "charts_alike": min(charts),
        "elements_alike": min(elements),
        "charts": float(np.mean([bool(answer["chart"]) for answer in ours.values()])) if ours else 0.0,
    }


def _scored(ours: Answers) -> list[tuple[list[str], float]]:
    """The files whose scores are compared, and how many of them must hold."""
    jpegs = [file for file in ours if file.endswith(".jpg")]
    unjudged = [file for file in jpegs if ours[file]["chart"] is None]
    return [([file for file in ours if file not in jpegs], SHARE), (unjudged, SHARE_OF_JPEGS)]


def _difference(found: Answers, ours: Answers, files: list[str], share: float) -> float:
    """Below which the scores of that share of the files differ."""
    differences = [abs(found[file]["score"] - ours[file]["score"]) for file in files]
    return float(np.quantile(differences, share)) if differences else 0.0


def _alike(found: Answers, ours: Answers) -> float:
    """Mean Jaccard similarity of the elements named on files that both let through."""
    pairs = [(found[file]["elements"], ours[file]["elements"]) for file in ours]
    both = [(set(one), set(other)) for one, other in pairs if one is not None and other is not None]
    shares = [len(one & other) / len(one | other) if one | other else 1.0 for one, other in both]
    return float(np.mean(shares or [1.0]))
