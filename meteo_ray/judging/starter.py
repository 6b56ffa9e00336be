"""The models that come with the package: what an archive is judged with before anyone has trained."""

import logging
from pathlib import Path

from meteo_ray.errors import UsageError

logger = logging.getLogger("meteo_ray")

STARTER = Path(__file__).resolve().parents[1] / "starter" / "models"


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
