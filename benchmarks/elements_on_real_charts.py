"""python benchmarks/elements_on_real_charts.py --real DIR --drawn DIR --out DIR [--folds 5] [--drawn-models MODELS]

How well does an element model without ImageNet's weights name what charts show that nobody drew for it? It is trained
on drawn charts alone. Then the real sources are dealt into folds; for each fold that model goes on with the other
folds' charts and some drawn ones, and answers for the fold that it has not seen, with what is written and without.

Both folders are in the layout of train_data/; every row of the real one has a `source`. The real images are linked, not
copied. Prints the mean average precision over the elements of at least ten charts, of each voter alone, of all on the
pixels, of all; beside an answer that is the same for all charts (blind) and the names of elements in the text
(keywords). Once with the folds' answers pooled, for which the scales of five models must agree as well as their
rankings; and once within the folds, as one model in use ranks: each fold's precision counts by its charts that show the
element. The same command goes on where it stopped.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from leave_sources_out import (
    DRAWN_FRACTIONS,
    ROOT,
    Row,
    drawn_models,
    folds,
    is_prepared,
    job,
    labels,
    parse_options,
    prepare,
    train,
)

from meteo_ray.batch import objects
from meteo_ray.calibration.votes import unstacked
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.elements.rows import labelled_charts
from meteo_ray.imaging.load import load_image
from meteo_ray.metrics.multilabel import average_precision, multilabel_metrics
from meteo_ray.schema import TEST
from meteo_ray.streaming.index import read_index
from meteo_ray.text.table import with_texts
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.comparison import pages_written
from meteo_ray.voters.keywords import keywords
from meteo_ray.voters.text_voter import Page

CONFIGS = ROOT / "jobs" / "elements_from_scratch"

# Fewer charts measure an element by chance.
LEAST_CHARTS = 10

# Images in one call: flat in memory.
BATCH = 32


def main() -> int:
    options = parse_options(str(__doc__), CONFIGS)
    if not is_prepared(options.drawn):
        job("prepare_data", "--data", options.drawn, *DRAWN_FRACTIONS)
    job("read_text", "--data", options.drawn)
    drawn_alone = drawn_models(options, "elements")
    real = [row for row in labels(options.real) if row["is_meteo"] and row.get("labels") is not None]
    answers: list[dict[str, np.ndarray]] = []
    for number, rows in enumerate(folds(real, first_label, options.folds, options.seed)):
        folder = options.out / f"fold_{number}"
        prepare(folder / "data", rows, options.real / "images", options.drawn / "logos")
        job("read_text", "--data", folder / "data", "--cache", options.out / "texts")
        start = ("--elements.init", drawn_alone / "elements", "--elements.auxiliary.data", options.drawn)
        train("elements", folder / "data", folder / "models", options.fine_tune, *start)
        answers.append(judged(folder / "data", folder / "models"))
        print(table(answers), flush=True)
    return 0


def first_label(row: Row) -> Any:
    return next(iter(row["labels"]), "")


def judged(data: Path, models: Path) -> dict[str, np.ndarray]:
    """What the fold's model and the baselines say of its unseen charts, each `(charts, elements)`."""
    index, vocabulary = read_index(data), load_vocabulary()
    rows = with_texts(labelled_charts(index, TEST), data)
    predictor = ElementsPredictor.load(models / "elements", "cpu", vocabulary, precision="fp32")
    starts = range(0, rows.num_rows, BATCH)
    parts = [answers_of(predictor, rows.slice(start, BATCH), data) for start in starts]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    found["blind"] = np.zeros((rows.num_rows, len(vocabulary.elements)))
    found["keywords"] = keywords([page or Page("", "") for page in pages_written(rows)], vocabulary).scores
    targets = np.array([vocabulary.multi_hot(names) for names in rows["elements"].to_pylist()], dtype=bool)
    return {**found, "targets": targets}


def texts(rows: pa.Table) -> dict[str, np.ndarray]:
    return {name: objects(rows[name].to_pylist()) for name in ("title", "text")}


def answers_of(predictor: ElementsPredictor, rows: pa.Table, data: Path) -> dict[str, np.ndarray]:
    """Calibrated log-odds of every voter, the scores of all on the pixels and of all, and what the latter show."""
    images = np.stack([load_image(data / path).pixels for path in rows["path"].to_pylist()])
    seen, heard = predictor({"image": images}), predictor({"image": images, **texts(rows)})
    votes = unstacked(seen["element_votes"], predictor.verdict.voters)
    return {
        **predictor.verdict.voices(votes, pages_written(rows)),
        "image": seen["element_scores"],
        "image_and_text": heard["element_scores"],
        "thresholds": heard["element_thresholds"],
    }


def table(answers: Sequence[dict[str, np.ndarray]]) -> str:
    """Average precision of who is asked, by element, the folds pooled; and micro-F1 of all."""
    vocabulary = load_vocabulary()
    pooled = {name: np.concatenate([part[name] for part in answers]) for name in answers[0]}
    targets, thresholds = pooled.pop("targets"), pooled.pop("thresholds")
    charts = targets.sum(axis=0)
    measured = np.flatnonzero(charts >= LEAST_CHARTS)
    heads = [f"{vocabulary.element_ids[label]} ({charts[label]})" for label in measured]
    lines = [f"| {len(targets)} charts | pooled | within folds | " + " | ".join(heads) + " |"]
    lines.append("|---|" + "---:|" * (len(heads) + 2))
    for name, scores in pooled.items():
        precision = [average_precision(targets[:, label], scores[:, label]) or 0.0 for label in measured]
        within = np.mean([within_folds(answers, name, label) for label in measured])
        values = " | ".join(f"{value:.2f}" for value in precision)
        lines.append(f"| {name} | {np.mean(precision):.3f} | {within:.3f} | {values} |")
    found = multilabel_metrics(targets, pooled["image_and_text"], thresholds, vocabulary.element_ids)
    return "\n".join([*lines, f"micro-F1 of all voters at the fitted thresholds: {found['micro_f1']:.3f}"])


def within_folds(answers: Sequence[dict[str, np.ndarray]], name: str, label: int) -> float:
    """Mean average precision of one element over the folds whose charts show it, by how many do."""
    charts = [int(part["targets"][:, label].sum()) for part in answers]
    found = [average_precision(part["targets"][:, label], part[name][:, label]) or 0.0 for part in answers]
    return float(np.average(found, weights=charts))


if __name__ == "__main__":
    sys.exit(main())
