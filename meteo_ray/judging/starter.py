"""The models that come with the package: what an archive is judged with before anyone has trained, and what trainings
go on from."""

import logging
from pathlib import Path

from meteo_ray.errors import UsageError

logger = logging.getLogger("meteo_ray")

STARTER = Path(__file__).resolve().parents[1] / "starter" / "models"

# What --gate.init and --elements.init call these models.
STARTER_INIT = "starter"


def has_starter(stage: str) -> bool:
    """Whether a model of that stage comes with this copy of the package."""
    return (STARTER / stage).is_dir()


def starter_bundle(stage: str) -> Path:
    """The folder of the stage's model. Raises UsageError when this copy of the package has none."""
    if not has_starter(stage):
        raise UsageError(
            f"--{stage}.init {STARTER_INIT}: this copy of meteo_ray comes without a {stage} model of its own; "
            "jobs/build_starter.py builds it in hours; else give imagenet, none, or the folder of a trained model"
        )
    return STARTER / stage


def tell_starter(models: Path) -> None:
    """Say so where the models that come with the package are to judge.

    Raises:
        UsageError: when this copy of the package has none.
    """
    if models != STARTER:
        return
    if not STARTER.is_dir():
        raise UsageError(
            "--models is required (or set METEO_RAY_MODELS): this copy of meteo_ray comes without models of its own; "
            "jobs/build_starter.py builds them in hours"
        )
    logger.info(
        "no --models given: the models that come with the package judge; they have seen drawings alone, see "
        "%s/MODEL_CARD.md",
        STARTER,
    )
