"""Reads a space of tune_spaces/ and checks every key and value against the settings that it varies."""

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import ValidationError
from rapidfuzz import process
from ray.tune.search.optuna import OptunaSearch

from meteo_ray.config import JobConfig
from meteo_ray.config.parsing import is_section
from meteo_ray.errors import UsageError

Values = dict[str, Any]
"""Dotted setting -> value."""


@dataclass(frozen=True)
class Space:
    """Where to look, by dotted setting, and what to try first."""

    distributions: Mapping[str, BaseDistribution]
    points: list[Values]

    def extremes(self) -> list[Values]:
        """For every setting alone its ends, or each of its choices."""
        return [{name: value} for name, found in self.distributions.items() for value in _ends(found)]


def load_space(name: str, base: JobConfig, adds_base: bool = True) -> Space:
    """tune_spaces/NAME.py, its first point the values of `base`, unless these cannot be told as a point.

    Raises:
        UsageError: no such file; a setting that the job lacks; a value that it refuses, or that lies outside.
    """
    if importlib.util.find_spec(f"tune_spaces.{name}") is None:
        raise UsageError(
            f"--space {name}: nothing to search yet; write tune_spaces/{name}.py (tune_spaces/gate.py is one)"
        )
    module = importlib.import_module(f"tune_spaces.{name}")
    where, space = f"tune_spaces/{name}.py", module.space()
    _require_known(where, base, {*space, *(key for point in module.points_to_evaluate() for key in point)})
    distributions = OptunaSearch.convert_search_space(space)
    points = [dict(point) for point in module.points_to_evaluate()]
    for point in points:
        _require_inside(f"{where}, points_to_evaluate", point, distributions)
    found = Space(distributions, [*([_of_base(where, base, distributions)] if adds_base else []), *points])
    for values in (*found.extremes(), *found.points):
        _require_accepted(where, base, values)
    return Space(
        distributions, [point for number, point in enumerate(found.points) if point not in found.points[:number]]
    )


def value_of(job: JobConfig, name: str) -> Any:
    """The value of a dotted setting. Raises AttributeError where there is none."""
    found: Any = job
    for part in name.split("."):
        found = getattr(found, part)
    return found


def place_in(distribution: BaseDistribution, value: Any) -> float:
    """Where a value lies in its range, 0 to 1, on the scale on which it is searched; of choices by their order."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices.index(value) / len(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high, at = float(distribution.low), float(distribution.high), float(value)
    if distribution.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / max(high - low, 1e-12)


def _require_known(where: str, base: JobConfig, names: set[str]) -> None:
    known = _settings(type(base))
    unknown = sorted(names - set(known))
    if not unknown:
        return
    problems = []
    for name in unknown:
        nearest = process.extractOne(name, known, score_cutoff=60)
        problems.append(f"{name}: no such setting" + (f"; did you mean {nearest[0]}?" if nearest else ""))
    raise UsageError.of_problems(f"{where} cannot be used:", problems)


def _settings(model: Any, prefix: str = "") -> list[str]:
    """Every dotted setting of a config."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        inner = _settings(field.annotation, f"{prefix}{name}.") if is_section(field) else [prefix + name]
        found += inner
    return found


def _of_base(where: str, base: JobConfig, distributions: Mapping[str, BaseDistribution]) -> Values:
    point = {name: value_of(base, name) for name in distributions}
    _require_inside(f"the settings that {where} starts from (--base)", point, distributions)
    return point


def _require_inside(where: str, point: Values, distributions: Mapping[str, BaseDistribution]) -> None:
    outside = [
        f"{name}: {value!r} lies outside {_shown(distributions[name])}"
        for name, value in point.items()
        if name in distributions and not _contains(distributions[name], value)
    ]
    missing = [f"{name}: no value" for name in distributions if name not in point]
    extra = [f"{name}: not in the space" for name in point if name not in distributions]
    if outside or missing or extra:
        raise UsageError.of_problems(f"{where} do not fit the space:", [*outside, *missing, *extra])


def _require_accepted(where: str, base: JobConfig, values: Values) -> None:
    try:
        base.with_values(**values)
    except ValidationError as error:
        reasons = "; ".join(entry["msg"].removeprefix("Value error, ") for entry in error.errors())
        told = ", ".join(f"{name} {value!r}" for name, value in values.items())
        raise UsageError(f"{where}: {told}: {reasons}") from None


def _ends(distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return [distribution.low, distribution.high]


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return isinstance(value, int | float) and distribution.low <= value <= distribution.high


def _shown(distribution: BaseDistribution) -> str:
    ends = _ends(distribution)
    if isinstance(distribution, CategoricalDistribution):
        return " or ".join(map(repr, ends))
    return f"{ends[0]:g} to {ends[1]:g}"
