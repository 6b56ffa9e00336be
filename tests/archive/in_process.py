"""The cascade's operators one after the other in this process: what a run does besides Ray can be tested in no time."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from meteo_ray.archive import judging
from meteo_ray.archive.cascade.judge_images import NOT_READ, JudgeImages
from meteo_ray.archive.cascade.look_again import LookAgain
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.pipeline import Plan, looking_again
from meteo_ray.archive.cascade.read_images import ReadImages
from meteo_ray.archive.cascade.read_text import ReadText
from meteo_ray.archive.cascade.registry import Registry
from meteo_ray.archive.config import Batches
from meteo_ray.archive.inputs.source import LocalSource
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.text.config import TextSettings


class InProcess:
    """Stands for archive.cascade.pipeline.Cascade."""

    def __init__(
        self,
        source: LocalSource,
        models: list[Model],
        limits: Limits,
        batches: Batches,
        plan: Plan,
        text: TextSettings = NOT_READ,
    ) -> None:
        self.claims = registry = Registry()
        sharing = [model for model in models if not model.judging.own_pixels]
        version = " ".join(f"{model.name}={model.version}" for model in models)
        described = any(model.described for model in sharing)
        self._read = ReadImages(source, limits, registry, registry, batches.rows, described)
        self._judge = JudgeImages(sharing, version, 1, registry, text)
        self._afterwards = [ReadText(sharing, text, source, limits, registry)] if text.mode != "off" else []
        self._afterwards += [
            LookAgain(model, ["is_meteo"], source, limits, batches.product_images, 1, registry)
            for model in looking_again(models)
        ]

    def judge(self, listed: pa.Table) -> Iterator[pa.Table]:
        for batch in self._read(listed):
            table = self._judge(batch)
            for operator in self._afterwards:
                table = operator(table)
            yield table


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs judge in this process."""
    replace_ray(monkeypatch)


def replace_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the fixture, for fixtures of another scope."""
    monkeypatch.setattr(judging, "Cascade", InProcess)
    monkeypatch.setattr(judging, "cluster_plan", lambda readers, judging, text: Plan(1, 1.0, 1, 0.0, 1))
    monkeypatch.setattr(judging.cluster, "connect", lambda: None)
