"""What a benchmark has measured, kept so that the same command goes on where it stopped."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from meteo_ray.files import read_json, write_json

SETTINGS, MEASURES = "settings", "measures"


class Results:
    """Measures by name; each is taken once and kept, beside the settings that all were taken with.

    Args:
        settings: whatever a name does not tell. SystemExit where a file holds measures of others.
    """

    def __init__(self, file: Path, settings: Mapping[str, Any]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._settings = file, json.loads(json.dumps(settings, default=str))
        before = read_json(file) if file.is_file() else {SETTINGS: self._settings, MEASURES: {}}
        differing = _differences(before.get(SETTINGS), self._settings)
        if differing:
            raise SystemExit(f"{file}: measured with other settings ({differing}); give another --out, or remove it")
        self.measures: dict[str, Any] = before[MEASURES]

    def get(self, key: str, measure: Callable[[], dict[str, Any]]) -> None:
        """Take a measure that is not there yet, and print it."""
        if key not in self.measures:
            self.measures[key] = measure()
            write_json(self._file, {SETTINGS: self._settings, MEASURES: self.measures})
            print(key, json.dumps(self.measures[key]), flush=True)


def _differences(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    if before is None:
        return "which were not kept"
    names = [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]
    return ", ".join(f"{name} {before.get(name)} then, {now.get(name)} now" for name in names)
