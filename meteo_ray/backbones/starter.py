"""Trainings that go on from the model that comes with the package: asked to, or for want of ImageNet's weights."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from meteo_ray import bundle
from meteo_ray.backbones.resnet import has_imagenet
from meteo_ray.errors import UsageError
from meteo_ray.judging.starter import STARTER_INIT, has_starter, starter_bundle
from meteo_ray.training.config import TrainingJob
from meteo_ray.vocabulary import choose_vocabulary

logger = logging.getLogger("meteo_ray")

Job = TypeVar("Job", bound=TrainingJob)


def started(
    job: Job,
    again: Callable[[Mapping[str, Any]], Job],
    stage: str,
    backbone: str,
    recipe: Mapping[str, Any],
    shape: Sequence[str],
) -> Job:
    """The settings of a training that starts from the stage's starter, where `job` says or comes to that.

    Args:
        again: see `JobConfig.settled`.
        backbone: the network whose ImageNet weights would be taken.
        recipe: how the starter is trained on, where that was not given.
        shape: settings of the stage that must be those with which the starter was made.

    Raises:
        UsageError: the starter is asked for, and absent, damaged or made for something else.
    """
    init = getattr(job, stage).init
    given = job.data is not None and job.data.is_dir()  # a training without data fails soon, and says why
    if not given or init not in ("auto", STARTER_INIT):
        return job
    if init == "auto" and (has_imagenet(backbone) or not has_starter(stage)):
        return job
    made = _made(stage)
    settled = again(_below(recipe, {stage: {**{name: made["training"][name] for name in shape}, "init": STARTER_INIT}}))
    problems = [*_other_shape(settled, stage, made, shape), *_other_labels(settled, made)]
    if problems and init == STARTER_INIT:
        raise UsageError.of_problems(
            f"--{stage}.init {STARTER_INIT}: the model that comes with the package does not fit; leave these as they "
            f"are there, or give --{stage}.init imagenet, none, or the folder of a trained model:",
            problems,
        )
    if problems:
        logger.info("%s: the model that comes with the package does not fit: %s", stage, "; ".join(problems))
        return job
    return _told(settled, stage, backbone, init)


def _made(stage: str) -> dict[str, Any]:
    folder = starter_bundle(stage)
    bundle.check(folder, stage)
    return bundle.read_config(folder, stage)


def _below(recipe: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Both documents, section by section."""
    return {**recipe, **{name: {**recipe.get(name, {}), **section} for name, section in more.items()}}


def _other_shape(job: TrainingJob, stage: str, made: Mapping[str, Any], shape: Sequence[str]) -> list[str]:
    given = getattr(job, stage).model_dump(mode="json")
    return [
        f"--{stage}.{name.replace('_', '-')} is {_shown(given[name])}, {_shown(made['training'][name])} there"
        for name in shape
        if given[name] != made["training"][name]
    ]


def _other_labels(job: TrainingJob, made: Mapping[str, Any]) -> list[str]:
    """What is wrong with the vocabulary, for a model that answers by its labels: heads and trees know theirs alone."""
    if "labels" not in made:
        return []
    here, there = choose_vocabulary(job.labels, job.data).element_ids, made["labels"]
    if list(here) == there:
        return []
    return [f"labels.yaml names {len(here)} elements, other ones or in another order than the {len(there)} there"]


def _told(job: Job, stage: str, backbone: str, init: str) -> Job:
    """The settings that name the starter, also where `auto` was given; with a line for the log."""
    section = getattr(job, stage)
    reason = "" if init == STARTER_INIT else f"no ImageNet weights of {backbone} on this machine, so "
    logger.info(
        "%s: %sit goes on from the model that comes with the package (input %s), gently unless told otherwise; "
        "--%s.init none starts from random weights",
        stage,
        reason,
        _shown(section.input_size),
        stage,
    )
    return job.model_copy(update={stage: section.model_copy(update={"init": STARTER_INIT})})


def _shown(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
