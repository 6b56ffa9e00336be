"""A sweep of how a trained cascade decides: thousands of trials on stored scores, then the real cascade on test."""

import hashlib
import logging
import time
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial

from meteo_ray import cluster
from meteo_ray.config import parse_config
from meteo_ray.errors import UsageError
from meteo_ray.evaluation.config import END_TO_END, EvaluateJob
from meteo_ray.evaluation.run import Evaluation
from meteo_ray.files import write_json
from meteo_ray.judging.settings import CascadeSettings
from meteo_ray.judging.starter import STARTER
from meteo_ray.progress import ProgressLine
from meteo_ray.stages import CASCADE
from meteo_ray.streaming.index import content_digest
from meteo_ray.training.run_identity import texts_identity
from meteo_ray.tuning import study as memory
from meteo_ray.tuning.cascade_scores import MEASURES, QUALITY, CascadeScores
from meteo_ray.tuning.config import TuneJob
from meteo_ray.tuning.folder import SweepFolder
from meteo_ray.tuning.report import Check, Ending, write_report
from meteo_ray.tuning.results import write_best, write_table
from meteo_ray.tuning.space import Space, Values, load_space, place_in
from meteo_ray.tuning.study import Objective

logger = logging.getLogger("meteo_ray")

DEFAULT_TRIALS = 1000

# The part of the gain that the chosen setting keeps.
KEPT = 0.75

LUCK = "on test they do worse: what was gained on validation was luck; keep what you had"

SCORES = "scores-validation-{}.npz"


def sweep_cascade(job: TuneJob) -> None:
    """Search, check on test, leave best.yaml, and tell. Raises UsageError like `sweep.sweep`."""
    started = time.monotonic()
    base = _base(job)
    space = load_space(END_TO_END, base, adds_base=False)
    objectives = _objectives(job)
    made_of = _made_of(base)
    folder = SweepFolder(base.models / "tune" / END_TO_END)
    with folder.taken(job):
        if job.resume:
            study = memory.go_on(folder.path, END_TO_END, objectives, made_of, space.distributions)
        else:
            study = memory.begin(folder.path, END_TO_END, objectives, made_of, space.distributions, space.points)
        scores = _scores(base, space, made_of, folder.path)
        default = scores.measures(base.cascade)
        study.set_user_attr("default", [default[objective.name] for objective in objectives])
        _search(job, base, study, scores, space, started)
        _conclude(base, study, folder, space)


def _base(job: TuneJob) -> EvaluateJob:
    """The evaluation whose thresholds are varied, on images as an archive holds them (R5), its places absolute."""
    named = {name: getattr(job, name) for name in ("data", "models")}
    flags = [part for name, path in named.items() if path is not None for part in (f"--{name}", str(path.resolve()))]
    flags += ["--config", str(job.base)] if job.base else []
    flags += ["--stage", END_TO_END, "--split", "validation", "--out", "unused.json", "--no-augmentation.enabled"]
    base = parse_config(EvaluateJob, flags)
    if base.min_recall is not None:
        raise UsageError("--base: min_recall chooses the gate's threshold, which the sweep varies: leave it out")
    if base.models == STARTER:
        raise UsageError("--models is required: a sweep leaves its results beside the models that it is for")
    places = {name: getattr(base, name) for name in ("data", "models", "labels", "index", "cache")}
    base = base.model_copy(update={name: path.resolve() for name, path in places.items() if path})
    for split in ("validation", "test"):
        Evaluation(base.model_copy(update={"split": split}))  # refuses missing models and empty splits
    return base


def _objectives(job: TuneJob) -> tuple[Objective, ...]:
    wrong = [name for name in job.objectives if name not in MEASURES]
    if wrong:
        raise UsageError(f"--objectives {' '.join(wrong)}: the cascade can improve {', '.join(MEASURES)}")
    return tuple(Objective(name, MEASURES[name]) for name in job.objectives or (QUALITY,))


def _made_of(base: EvaluateJob) -> dict[str, str]:
    evaluation = Evaluation(base)
    context = evaluation.context
    return {
        "set of models": " ".join(evaluation.predictors[name].version for name in CASCADE),
        "index": content_digest(context.index),
        "set of texts": texts_identity(context.index, base.data, base.index) if base.text else "",
        "base config": base.cascade.model_dump_json() + f"{base.min_recall} {base.text}",
        "vocabulary": hashlib.sha256(context.vocabulary.to_yaml().encode()).hexdigest(),
    }


def _scores(base: EvaluateJob, space: Space, made_of: dict[str, str], folder: Path) -> CascadeScores:
    """What the models say of the validation split; judged once for these models and this index."""
    gate = space.distributions.get("cascade.gate_threshold")
    least = 0.0 if gate is None else float(gate.low)  # type: ignore[attr-defined]  # no choice: space.py has seen it
    kept = [field.name for field in fields(CascadeScores)]
    digest = hashlib.sha256(repr((sorted(made_of.items()), least, kept)).encode()).hexdigest()[:12]
    path = folder / SCORES.format(digest)
    if path.is_file():
        return CascadeScores.read(path)
    cluster.connect()
    scores = CascadeScores.wide(base, least)
    scratch = path.with_name(f".{path.name}")
    scores.save(scratch)
    scratch.rename(path)
    return scores


def _search(
    job: TuneJob, base: EvaluateJob, study: optuna.Study, scores: CascadeScores, space: Space, started: float
) -> None:
    study.sampler = TPESampler(seed=job.seed + len(study.get_trials(deepcopy=False)))
    left = (job.trials or DEFAULT_TRIALS) - len(memory.tried(study))
    names = list(study.metric_names or ())
    seconds = job.searching_seconds
    line = ProgressLine("cascade: settings tried", max(left, 0), unit="settings")
    for _ in range(left):
        if seconds is not None and time.monotonic() - started > seconds:
            break
        trial = study.ask(fixed_distributions=dict(space.distributions))
        found = scores.measures(_settings(base, trial.params))
        study.tell(trial, [found[name] for name in names])
        line.update(1)
    line.close()


def _settings(base: EvaluateJob, values: Values) -> CascadeSettings:
    return base.with_values(**values).cascade


def _conclude(base: EvaluateJob, study: optuna.Study, folder: SweepFolder, space: Space) -> None:
    write_table(folder.table, study)
    before, chosen = study.user_attrs["default"][0], choose(study, space)
    if chosen is not None and chosen.values[0] <= before:
        chosen = None
    use: dict[str, str] = {}
    folder.best.unlink(missing_ok=True)
    if chosen is not None:
        write_best(folder.best, None, base, chosen.params)  # evaluation and archive share the cascade's settings alone
        use["use it"] = f"python jobs/classify_archive.py --config {folder.best} --archive ... --out ..."
    checks = _check(base, {} if chosen is None else chosen.params, study)
    stored = {"default": before, "chosen": None if chosen is None else chosen.values[0]}
    write_json(folder.checks, {"stored": stored, "real": [asdict(check) for check in checks]})
    write_report(folder.report, study, Ending(chosen, {}, base, use, checks, LUCK if _lost(checks) else ""))
    _tell(study, chosen, checks, folder)


def choose(study: optuna.Study, space: Space) -> FrozenTrial | None:
    """Of the trials that keep most of the gain over the default the one in their middle.

    The very best is best by an image or two of this split, often at the edge of what does well; other images break
    that first. Distances are those in the space, each setting's range taken for 1.
    """
    ended = memory.complete(study)
    if not ended:
        return None
    best, default = ended[0].values[0], study.user_attrs["default"][0]
    if best <= default:
        return ended[0]
    good = [trial for trial in ended if trial.values[0] >= best - (1 - KEPT) * (best - default)]
    places = np.array(
        [[place_in(found, trial.params[name]) for name, found in space.distributions.items()] for trial in good]
    )
    # One after the other: all at once, ten thousand trials would take 4 GB.
    apart = [np.abs(places - place).sum(axis=1).mean() for place in places]
    return good[int(np.argmin(apart))]


def _check(base: EvaluateJob, values: Values, study: optuna.Study) -> list[Check]:
    """The real cascade under both settings on both splits: no stored scores, and test images that chose nothing."""
    cluster.connect()
    names, found = list(study.metric_names or ()), []
    for split in ("validation", "test"):
        asked = base.model_copy(update={"split": split})
        results: dict[str, dict[str, float]] = {}
        for label, job in (("default", asked), ("chosen", asked.with_values(**values))):
            if label == "chosen" and not values:
                results[label] = results["default"]
                continue
            least = CascadeSettings(products_least=job.cascade.products_least)  # the rest was in force already
            results[label] = CascadeScores.of(job).measures(least)
        found += [Check(split, name, results["default"][name], results["chosen"][name]) for name in names]
    return found


def _lost(checks: list[Check]) -> bool:
    """Whether test contradicts the first objective, which chose; others may be the price of it."""
    chose = checks[0].name
    return any(check.split == "test" and check.name == chose and check.chosen < check.default for check in checks)


def _tell(study: optuna.Study, chosen: FrozenTrial | None, checks: list[Check], folder: SweepFolder) -> None:
    name, tried = (study.metric_names or [""])[0], len(memory.tried(study))
    print(f"cascade: {tried} settings tried on stored scores of the validation split; {name} is {MEASURES[name]}")
    if chosen is None:
        print("  none did better than the settings that it started from; there is nothing to change")
    for check in checks:
        print(f"  {check.split}: {check.name} {check.default:.4f} before, {check.chosen:.4f} with the chosen settings")
    if chosen is not None:
        if _lost(checks):
            print(f"  {LUCK}")
        print(f"  settings: {folder.best}")
    print(f"  report: {folder.report}   all trials: {folder.table}; optuna-dashboard {folder.path / memory.JOURNAL}")
