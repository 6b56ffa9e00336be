"""What the trained cascade can be told when it judges; evaluation, archive and sweeps share it."""

from typing import Any

from pydantic import Field, PositiveInt

from meteo_ray.config.parsing import Section


class CascadeSettings(Section):
    """Thresholds of trained models. What is left out stays as training calibrated it."""

    gate_threshold: float | None = Field(None, ge=0, le=1)
    """Calibrated probability from which an image counts as a chart, instead of the one of best F1."""
    element_threshold_scale: float = Field(1.0, gt=0)
    """Multiplies every element's threshold: below 1 more elements are named, above 1 fewer."""
    beam_width: PositiveInt | None = None
    """Paths that the elements' beam search keeps (R24)."""
    minimum_match: float | None = Field(None, gt=0, le=1)
    """Share of a product's elements that must be detected for it to become a candidate (R32)."""

    def options(self, stage: str) -> dict[str, Any]:
        """The options that `stage`'s predictor is loaded with."""
        options: dict[str, dict[str, Any]] = {
            "gate": {"threshold": self.gate_threshold},
            "elements": {"threshold_scale": self.element_threshold_scale, "beam_width": self.beam_width},
            "products": {"minimum_match": self.minimum_match},
        }
        return {name: value for name, value in options[stage].items() if value is not None}
