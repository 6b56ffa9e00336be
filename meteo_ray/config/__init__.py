"""One typed config per job: defaults < YAML file < environment < flags; what is wrong fails before Ray starts."""

from meteo_ray.config.parsing import JobConfig, Section, parse_config

__all__ = ["JobConfig", "Section", "parse_config"]
