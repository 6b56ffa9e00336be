"""One description of a stage: all that training, sweeps, evaluation, archive and demo know of it.

Every stage makes its own in its folder (gate/stage.py and so on); stages.py lists them. Descriptions are light: what
needs torch or transformers is imported when it is called.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from meteo_ray.judging.settings import JudgingJob
from meteo_ray.training.config import TrainingJob

if TYPE_CHECKING:
    from meteo_ray.judging.predictor import Predictor
    from meteo_ray.judging.stage_evaluation import StageEvaluation
    from meteo_ray.judging.verdict import Verdict
    from meteo_ray.training.inputs import TaskInputs
    from meteo_ray.training.task import Task


@dataclass(frozen=True)
class Judging:
    """How a stage judges images, as a part of the cascade and on its own.

    Args:
        columns: what its predictor adds to a row of the predictions.
        tells: what it may answer besides, for later stages to read or to be added up; it is not written down.
        load: `load(bundle, vocabulary=..., **options)` -> its predictor; of a stage from whose answers others learn
            with `device="cpu"` where their training leaves a GPU alone.
        options: those that a job's settings ask for, None where a setting leaves the calibrated value in force.
        check: `check(bundle, **options)` raises UsageError for options that this machine or this bundle cannot follow,
            without loading weights; None where there are no such options.
        evaluation: makes the object that measures it on labelled rows.
        needs: the stages whose answers it needs; they run before it.
        reads: columns that its predictor reads beside `image`: of theirs, and `title` and `text`, what is written.
        passes: a bool column of its own; only rows where it is true go on to later stages.
        passes_by: the column of its own, scores in [0, 1], that decides on `passes`.
        votes: what its predictor answers beside the columns: raw votes on the pixels, float32 `(rows, voters,
            questions)`, on which the verdict can be found again when the text has been read.
        load_verdict: `load_verdict(bundle, vocabulary=..., **options)` -> the verdict of that bundle, with the options
            of `load`; None where text changes nothing.
        stand_in: `stand_in(job)` -> what loads the predictor that judges in the place of a bundle, called with
            `vocabulary`, where the settings name such a one; None where they do not.
        own_pixels: its predictor has an `image_size` of its own, for which images are decoded once more; the others
            share one decoded 320x240 image.
        sections: those of the vocabulary that it uses, in what it reads or answers: elements, products.
        tallies: columns whose values an archive's summary counts -> their key there; lists of scored ids too.
        counts: columns of whole numbers among `tells` that an archive adds up -> their key in its summary, where they
            also stand by the second of the stage's work.
        histograms: columns of scores in [0, 1] that an archive's report draws -> their title.
    """

    columns: pa.Schema
    load: "Callable[..., Predictor]"
    options: Callable[[JudgingJob], dict[str, Any]]
    evaluation: "Callable[[], StageEvaluation]"
    tells: Sequence[pa.Field] = ()
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    passes: str | None = None
    passes_by: str | None = None
    votes: str | None = None
    load_verdict: "Callable[..., Verdict] | None" = None
    check: "Callable[..., None] | None" = None
    stand_in: "Callable[[JudgingJob], Callable[..., Predictor] | None] | None" = None
    own_pixels: bool = False
    sections: tuple[str, ...] = ()
    tallies: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, str] = field(default_factory=dict)
    histograms: Mapping[str, str] = field(default_factory=dict)

    @property
    def answers(self) -> tuple[str, ...]:
        """The names of all that it answers for others to read."""
        return (*self.columns.names, *(field.name for field in self.tells))

    def replaced(self, job: JudgingJob) -> "Callable[..., Predictor] | None":
        """What loads the predictor in the place of a bundle, where `job` says so."""
        return None if self.stand_in is None else self.stand_in(job)

    def given_options(self, job: JudgingJob) -> dict[str, Any]:
        """The options that `job` really asks for."""
        return {name: value for name, value in self.options(job).items() if value is not None}


@dataclass(frozen=True)
class PreparingJob:
    """A job that the demo runs before a stage is trained; `arguments` are made from the demo's folder."""

    title: str
    job: str
    arguments: Callable[[Path], tuple[str, ...]]


@dataclass(frozen=True)
class Demo:
    """A stage's part of `make demo` and `make demo-full`; its settings stand in jobs/demo/short/NAME.yaml and
    jobs/demo/NAME.yaml.

    `table` has (title, metric) of the closing table, `cascade_table` the same of the end-to-end metrics; the full walk
    runs `before` and gives its training `flags`, made from the demo's folder.
    """

    table: tuple[tuple[str, str], ...]
    cascade_table: tuple[tuple[str, str], ...] = ()
    before: tuple[PreparingJob, ...] = ()
    flags: Callable[[Path], tuple[str, ...]] = lambda out: ()


@dataclass(frozen=True)
class Stage:
    """A trainable stage.

    Args:
        name: of its bundle in MODELS/, its section in the config, jobs/train_NAME.py and tune_spaces/NAME.py.
        job: the config of its training.
        make_task: what the training loop trains; its `watch` is what early stopping and sweeps raise.
        without_network: `without_network(job)` -> what trains at once, without the loop, called with the inputs and
            returning the metrics, where the settings ask for no network; None where they do.
        training_headline: the validation metrics that a training ends with.
        require: `require(job, inputs)` raises UsageError for what would stop its training, before earlier stages are
            asked; None where the task's own checks are soon enough.
        learns_from_answers_on: a label's column of the index: on rows where it is known the task is given what earlier
            stages answer; None where labels are enough.
        trial_settings: settings of a sweep's trials: what they save does not change the watched metric.
        acts_from: `acts_from(job)` -> settings that begin to act in some later epoch than the phases tell, with that
            epoch, counted from 0: a sweep that varies them lets its trials live as long.
        objectives: validation metrics, higher is better, that a sweep can improve besides the watched one.
        read_inputs: `read_inputs(job)` -> what its training is given, checked; None where that is a prepared folder of
            images (training/inputs.py).
        judging: None for a stage that judges no images, such as a forecaster; the cascade leaves it out.
        demo: None for a stage that `make demo` leaves out.
    """

    name: str
    job: type[TrainingJob]
    make_task: "Callable[[Any, TaskInputs], Task]"
    training_headline: tuple[str, ...]
    without_network: "Callable[[Any], Callable[[TaskInputs], dict[str, Any]] | None] | None" = None
    require: "Callable[[Any, TaskInputs], None] | None" = None
    learns_from_answers_on: str | None = None
    trial_settings: Mapping[str, Any] = field(default_factory=dict)
    acts_from: "Callable[[Any], Mapping[str, int]] | None" = None
    objectives: tuple[str, ...] = ()
    read_inputs: "Callable[[Any], TaskInputs] | None" = None
    judging: Judging | None = None
    demo: Demo | None = None

    def at_once(self, job: TrainingJob) -> "Callable[[TaskInputs], dict[str, Any]] | None":
        """What trains it without the loop, where `job` asks for no network."""
        return None if self.without_network is None else self.without_network(job)
