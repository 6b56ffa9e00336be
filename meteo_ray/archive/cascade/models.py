"""The trained models that judge an archive, checked as far as that goes without loading their weights."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meteo_ray import bundle
from meteo_ray.archive.config import EXAMPLES_ANSWER, EXAMPLES_NEED, ArchiveConfig
from meteo_ray.calibration.undecided import UNDECIDED
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json
from meteo_ray.judging.predictor import Predictor
from meteo_ray.judging.starter import STARTER, tell_starter
from meteo_ray.retrieval.stage import RETRIEVAL
from meteo_ray.stage import Judging
from meteo_ray.stages import CASCADE
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.vocabulary.growth import joined

if TYPE_CHECKING:  # it loads scikit-learn: a second
    from meteo_ray.judging.verdict import Verdict

logger = logging.getLogger("meteo_ray")


@dataclass(frozen=True)
class Model:
    """One stage's model before it is loaded; `load` travels to the actor and is called there, and so does
    `load_verdict` where what is written may change the answers. `described`: it looks at descriptors of the pixels,
    which readers can compute for it. `undecided`: on which share of its validation images it was undecided, see
    `calibration.undecided`; None where its bundle does not say."""

    name: str
    version: str
    judging: Judging
    load: Callable[[], Predictor]
    load_verdict: "Callable[[], Verdict] | None" = None
    described: bool = False
    undecided: float | None = None


@dataclass(frozen=True)
class Models:
    """What judges the archive, in order, and the names of its labels."""

    models: list[Model]
    vocabulary: Vocabulary

    @property
    def versions(self) -> dict[str, str]:
        return {model.name: model.version for model in self.models}


def bundled_models(config: ArchiveConfig) -> Models:
    """The models in `config.models` of the stages that are to run.

    Models that were trained before labels were appended go on with what they know; that is logged.

    Raises:
        UsageError: naming the bundle and what is missing, damaged or does not fit the others, or the setting that
            cannot be followed here.
    """
    tell_starter(config.models)
    replaced = EXAMPLES_ANSWER if config.examples else None
    folders = {name: config.models / name for name in config.stages if name != replaced}
    if not config.models.is_dir():
        raise UsageError(f"--models {config.models}: no such folder; train the models first, or set METEO_RAY_MODELS")
    versions = _versions(config.models, [*folders, *([RETRIEVAL.name] if config.examples else [])])
    documents = {name: bundle.read_config(folder, name) for name, folder in folders.items()}
    tell_other_reading(config.models, documents, config.text.mode)
    for name, folder in folders.items():
        bundle.tell_other_answers(folder, documents[name], versions)
    vocabulary = joined([bundle.read_labels(folder) for folder in folders.values()])
    models = []
    for name, folder in folders.items():
        judging = CASCADE[name]
        options = judging.given_options(config)
        bundle.read_labels(folder, vocabulary, judging.sections)
        bundle.tell_unknown(folder, vocabulary, judging.sections)
        if judging.check is not None:
            judging.check(folder, **options)
        place, given = folder.resolve(), {"vocabulary": vocabulary, **options}
        verdict = judging.load_verdict and partial(judging.load_verdict, place, **given)
        load, described = partial(judging.load, place, **given), bool(documents[name].get("descriptors"))
        models.append(Model(name, versions[name], judging, load, verdict, described, _undecided(folder)))
    if config.examples:
        models.append(examples_model(config.models, config.examples, vocabulary, config.examples_none))
    return Models(models, vocabulary)


def _versions(models: Path, names: Sequence[str]) -> dict[str, str]:
    """Versions of the bundles in a folder. Raises UsageError naming all that are missing or damaged."""
    found: dict[str, str] = {}
    problems = []
    for name in names:
        try:
            found[name] = bundle.check(models / name, name)
        except UsageError as error:
            problems.append(str(error))
    if problems and models == STARTER and not (models / RETRIEVAL.name).is_dir() and RETRIEVAL.name in names:
        raise UsageError(
            "--examples needs a retrieval model, and none comes with the package: train one (jobs/train_retrieval.py) "
            f"into a folder in which gate and elements stand too, such as copies of those in {models}, and give it as "
            "--models"
        )
    if len(problems) == len(names) and (models / bundle.SUMS).is_file():
        raise UsageError(f"--models {models}: is one model; give the folder in which it stands, {models.parent}")
    first, absent = names[: len(found)], names[len(found) :]
    if problems and first and list(found) == list(first) and not any((models / name).exists() for name in absent):
        problems[-1] += f"; --stages {','.join(first)} goes without"
    if len(problems) > 1:
        raise UsageError.of_problems(f"--models {models}: {len(problems)} models are missing or damaged:", problems)
    if problems:
        raise UsageError(problems[0])
    return found


def _undecided(folder: Path) -> float | None:
    """Models of before that was measured say nothing."""
    measured = read_json(folder / bundle.METRICS) if (folder / bundle.METRICS).is_file() else {}
    share: float | None = measured.get(UNDECIDED)
    return share


def examples_model(models: Path, examples: Path, vocabulary: Vocabulary, none_share: float = 0.5) -> Model:
    """Examples in the place of the products stage; they are encoded now, which takes seconds.

    Raises:
        UsageError: when examples or retrieval model cannot be used.
    """
    from meteo_ray.retrieval.examples.folder import example_files, read_examples
    from meteo_ray.retrieval.examples.predictor import ExamplesPredictor, FittedExamples
    from meteo_ray.retrieval.predictor import RetrievalPredictor

    files = example_files(examples, vocabulary)
    folder = (models / RETRIEVAL.name).resolve()
    fitted = FittedExamples.fit(RetrievalPredictor.load(folder), read_examples(files), none_share)
    logger.info("%d examples of %d products", len(files), len(fitted.classifier.names))
    judging = replace(
        CASCADE[EXAMPLES_ANSWER],
        needs=EXAMPLES_NEED,
        reads=(),
        own_pixels=False,
        sections=(),
    )
    return Model(EXAMPLES_ANSWER, fitted.version, judging, partial(ExamplesPredictor.load, folder, fitted=fitted))


def tell_other_reading(models: Path, configs: Mapping[str, Mapping[str, Any]], mode: str) -> None:
    """A voter that learnt from whole pages finds less on title strips, and its threshold does not know that.

    `configs` are those of the bundles in `models`; of those that were taught alike it is said once.
    """
    taught: dict[str, list[str]] = {}
    for name, config in configs.items():
        if config.get("text_mode"):
            taught.setdefault(config["text_mode"], []).append(name)
    for known, names in taught.items():
        who = f"{models}: {', '.join(names)}"
        if mode == "off":
            logger.info("%s: learnt from texts too; without --text.mode %s the pixels alone answer", who, known)
        elif mode != known:
            logger.warning(
                "%s: learnt from texts read with --text.mode %s; read with %s, they tell less", who, known, mode
            )
