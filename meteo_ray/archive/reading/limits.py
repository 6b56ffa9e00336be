"""What reading one image may cost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of a guarded child; `decode` is called in it, with the contract of guarded_reading.decode_held."""

    timeout_s: float
    memory_limit_mb: int
    decode: str = "meteo_ray.archive.reading.guarded_reading:decode_held"
