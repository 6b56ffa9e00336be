"""One evaluation from config to metrics file: what is there to score is found and checked first, then judged."""

import json
import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from meteo_ray import bundle
from meteo_ray.cascade.over_rows import answered, run_cascade, with_earlier_stages
from meteo_ray.errors import UsageError
from meteo_ray.evaluation.config import ALL, END_TO_END, EvaluateJob
from meteo_ray.evaluation.end_to_end import cascade_metrics
from meteo_ray.files import make_folder, write_atomically
from meteo_ray.judging.judge import Judge
from meteo_ray.judging.stage_evaluation import Scored, SplitContext
from meteo_ray.judging.starter import tell_starter
from meteo_ray.stages import CASCADE
from meteo_ray.streaming.index import read_index
from meteo_ray.versions import versions
from meteo_ray.vocabulary import choose_vocabulary

logger = logging.getLogger("meteo_ray")


@dataclass(frozen=True)
class Outcome:
    """The document that goes into the metrics file; by stage what a report draws from: judgements and predictors."""

    document: dict[str, Any]
    scored: dict[str, Scored] = field(default_factory=dict)
    predictors: dict[str, Any] = field(default_factory=dict)


class Evaluation:
    """Everything that can go wrong by the user's hand goes wrong on construction, before Ray starts.

    Raises:
        UsageError: data not prepared, a model missing or damaged, nothing to score, or no place for the answer.
    """

    def __init__(self, job: EvaluateJob) -> None:
        self.job = job
        tell_starter(job.models)
        vocabulary = choose_vocabulary(job.labels, job.data)
        index = read_index(job.data.resolve(), job.index)
        self.context = SplitContext(job, index, vocabulary, Judge(job, vocabulary))
        self.models = job.models.resolve()
        self.stages = {name: judging.evaluation() for name, judging in CASCADE.items()}
        self.rows = {name: stage.rows(self.context) for name, stage in self.stages.items()}
        self.absent = self._absent()
        self.predictors = {name: self._load(name) for name in CASCADE if self._needed(name)}
        self._tell_other_answers()
        for path, flag in ((job.out, "--out"), (job.report, "--report")):
            if path is not None:
                make_folder(path.parent, flag)

    def run(self) -> Outcome:
        """Judge and score every stage that was asked for and is there."""
        scored: dict[str, Scored] = {}
        document: dict[str, Any] = {
            "split": self.job.split,
            "counts": {name: self.rows_of(name).num_rows for name in (*CASCADE, END_TO_END)},
            "models": {name: predictor.version for name, predictor in self.predictors.items()},
            "settings": _settings(self.job),
            "seed": self.job.seed,
            "versions": versions(),
        }
        for name in self.wanted:
            if name in self.absent:
                logger.warning("%s: not evaluated: %s", name, self.absent[name])
                document[name] = {"absent": self.absent[name]}
            elif name == END_TO_END:
                document[name] = self._end_to_end()
            else:
                scored[name] = self._score(name, self.context)
                document[name] = scored[name].metrics | self._as_they_are(name)
        return Outcome(document, scored, self.predictors)

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """Names of stages, and END_TO_END."""
        return (*CASCADE, END_TO_END) if self.job.stage == ALL else (self.job.stage,)

    def _as_they_are(self, name: str) -> dict[str, Any]:
        """The stage's main metrics on images that nothing was done to (R5), where the others were altered."""
        if not self.job.augmentation.enabled:
            return {}
        found = self._score(name, self.context.unaltered()).metrics
        headline = self.stages[name].headline
        return {"as_they_are": {metric: found[metric] for metric in headline if metric in found}}

    def _score(self, name: str, context: SplitContext) -> Scored:
        """A stage's measures, given what the stages before it answer on the same images, where their models are."""
        rows = with_earlier_stages(context.judge, self.rows[name], CASCADE[name], CASCADE, self.predictors)
        return self.stages[name].score(context, self.predictors[name], rows)

    def _end_to_end(self) -> dict[str, Any]:
        rows = self.rows_of(END_TO_END)
        judged = run_cascade(self.context.judge, rows, CASCADE, self.predictors, self.stages)
        return cascade_metrics(judged, self.stages, self.context.vocabulary)

    # -- checks ------------------------------------------------------------------------------------------------------

    def rows_of(self, name: str) -> pa.Table:
        """The rows that a stage is scored on; all of them together start from the first one's."""
        return self.rows[next(iter(CASCADE)) if name == END_TO_END else name]

    def _absent(self) -> dict[str, str]:
        """Wanted stage -> why it cannot be scored. Raises UsageError when that leaves nothing, or was asked for."""
        found: dict[str, str] = {}
        for name in self.wanted:
            missing = [model for model in _models_of(name) if not self._there(model)]
            if missing:
                jobs = ", ".join(f"jobs/train_{model}.py" for model in missing)
                found[name] = f"no {' and no '.join(missing)} model in {self.models}; train with {jobs}"
            elif not self.rows_of(name).num_rows:
                found[name] = f"no row of the {self.job.split} split carries its label"
        if len(found) == len(self.wanted):
            raise UsageError.of_problems("nothing to evaluate:", [f"{name}: {why}" for name, why in found.items()])
        return found

    def _tell_other_answers(self) -> None:
        versions = {name: predictor.version for name, predictor in self.predictors.items()}
        for name in versions:
            if CASCADE[name].replaced(self.job) is None:
                folder = self.models / name
                bundle.tell_other_answers(folder, bundle.read_config(folder, name), versions)

    def _there(self, stage: str) -> bool:
        return CASCADE[stage].replaced(self.job) is not None or (self.models / stage / bundle.SUMS).is_file()

    def _needed(self, stage: str) -> bool:
        """A stage that is scored, or whose answers one reads that is, if its model is there."""
        scored = [name for name in self.wanted if name not in self.absent]
        return any(stage in _models_of(name) or (stage in _read_by(name) and self._there(stage)) for name in scored)

    def _load(self, name: str) -> Any:
        folder, vocabulary, judging = self.models / name, self.context.vocabulary, CASCADE[name]
        instead = judging.replaced(self.job)
        if instead is not None:
            return instead(vocabulary=vocabulary)
        predictor = judging.load(folder, vocabulary=vocabulary, **judging.given_options(self.job))
        bundle.tell_unknown(folder, vocabulary, judging.sections)
        return predictor


def _settings(job: EvaluateJob) -> dict[str, Any]:
    """What the measures depend on beside data and models."""
    shown = {"min_recall": job.min_recall, "text": job.text, "altered": job.augmentation.enabled}
    return {**shown, **job.cascade.model_dump(mode="json")}


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Write the metrics file whole or not at all. Raises UsageError when that cannot be done."""
    write_file(path, json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n", "--out")


def write_file(path: Path, text: str, flag: str) -> None:
    """Write beside the place and rename; folders are made. Raises UsageError naming the flag that gave the path."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise UsageError(f"{flag} {path}: cannot write: {error}") from None


def _models_of(name: str) -> tuple[str, ...]:
    return tuple(CASCADE) if name == END_TO_END else (name,)


def _read_by(name: str) -> set[str]:
    """The stages whose answers a stage reads."""
    return set() if name == END_TO_END else {stage for stage, _ in answered(CASCADE[name].reads, CASCADE).values()}
