"""One typed config per job: defaults < YAML file < environment < flags; a wrong key or value fails before Ray starts."""

from meteo_ray.config.base import JobConfig, Section, parse_config

__all__ = ["JobConfig", "Section", "parse_config"]
