"""A loader that writes down what it knows of its surroundings."""

import json
import os
from pathlib import Path

from meteo_ray.imaging.load import LoadedImage, load_image


def load_with_environment(path: str, size: tuple[int, int]) -> LoadedImage:
    """Runs in the child: leaves what it knows of its environment beside the image."""
    Path(path).with_suffix(".json").write_text(json.dumps(sorted(os.environ)), "utf-8")
    return load_image(path, size)
