"""What the brightness stage is worth on a labelled split."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.brightness.predictor import BrightnessPredictor
from meteo_ray.judging.judge import Judged
from meteo_ray.judging.stage_evaluation import Scored, SplitContext, StageEvaluation, cost
from meteo_ray.vocabulary import Vocabulary


class BrightnessEvaluation(StageEvaluation):
    """On every chart of the split."""

    headline: ClassVar = ("mean_brightness",)
    cascade_headline: ClassVar = ("judged_bright",)

    def rows(self, context: SplitContext) -> pa.Table:
        index = context.index
        return index.filter(pc.and_(pc.equal(index["split"], context.job.split), index["is_meteo"]))

    def score(self, context: SplitContext, predictor: BrightnessPredictor, rows: pa.Table) -> Scored:
        judged = context.judge("brightness", predictor, rows)
        return Scored({"mean_brightness": float(judged.columns["brightness"].mean()), **cost(judged)}, judged)

    def end_to_end(self, judged: Mapping[str, Judged], vocabulary: Vocabulary) -> dict[str, Any]:
        """judged_bright: how many of the images that came through are brighter than the middle."""
        return {"judged_bright": int(np.sum(judged["brightness"].columns.get("brightness", np.zeros(0)) >= 0.5))}
