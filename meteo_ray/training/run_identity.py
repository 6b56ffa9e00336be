"""When two training jobs are the same run: then the second goes on where the first stopped.

A run's name is a digest of its config, its training and validation rows with what was read on them, its vocabulary and
of how pixels are made of images (the versions of that code, the logos), so a changed one starts anew. Test rows teach
nothing. Settings that do not change the result, such as where folders lie and how many workers prepare the data, are
marked `NotInIdentity` where they are declared.
"""

import hashlib
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from meteo_ray.config.fields import NotInIdentity
from meteo_ray.config.parsing import Section, is_section
from meteo_ray.imaging.augment_config import UNALTERED, AugmentConfig
from meteo_ray.schema import TEST
from meteo_ray.streaming.index import content_digest
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.text.table import texts_mode, texts_path, with_texts
from meteo_ray.training.config import AuxiliaryImages, TrainingJob
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.vocabulary import Vocabulary


def run_digest(job: TrainingJob, inputs: TaskInputs, origin: str = "") -> str:
    """Ten hex digits over everything that the result depends on; `origin` is `Task.origin`."""
    return hashlib.sha256("".join(identity_parts(job, inputs, origin).values()).encode()).hexdigest()[:10]


def identity_parts(job: TrainingJob, inputs: TaskInputs, origin: str = "") -> dict[str, str]:
    """What the digest is made of, each part as a digest of its own, by what a user calls it."""
    parts = {
        "base config": job.model_dump_json(exclude=_not_in_identity(type(job))),
        "set of first weights": origin,
        "index": content_digest(_learnt(inputs.index)) + _kept_unseen(job, inputs.index),
        "set of texts": _texts(job, inputs),
        "vocabulary": _meaning(inputs.vocabulary),
        "set of logos or version of preprocessing": _pixels(job, inputs),
    }
    return {name: hashlib.sha256(part.encode()).hexdigest() for name, part in parts.items()}


def _learnt(index: pa.Table) -> pa.Table:
    """What training and validation look at."""
    return index.filter(pc.not_equal(index["split"], TEST)) if "split" in index.column_names else index


def _kept_unseen(job: TrainingJob, index: pa.Table) -> str:
    """Auxiliary images leave those out that test rows hold too: there the contents of those matter."""
    beside = any(getattr(section, "auxiliary", AuxiliaryImages()).data for section in _sections(job))
    if not beside or not {"split", "sha256"} <= set(index.column_names):
        return ""
    return content_digest(index.filter(pc.equal(index["split"], TEST)).select(["sha256"]))


def _texts(job: TrainingJob, inputs: TaskInputs) -> str:
    """What was read on the images that are looked at, and how; where it is to be heard."""
    if any(getattr(section, "text", None) is False for section in _sections(job)):
        return ""
    return texts_identity(_learnt(inputs.index), inputs.data, inputs.index_folder)


def texts_identity(index: pa.Table, data: Path, index_folder: Path | None = None) -> str:
    """What was read on the images of `index`, and how; empty where nothing was."""
    path = texts_path(data, index_folder)
    if not path.is_file():
        return ""
    return f"{texts_mode(path)} {content_digest(with_texts(index.select(['sha256']), data, index_folder))}"


def _sections(job: TrainingJob) -> list[Section]:
    return [getattr(job, name) for name, field in type(job).model_fields.items() if is_section(field)]


def _not_in_identity(model: type[BaseModel]) -> dict[str, Any]:
    """The marked fields of a config and of its sections, as pydantic's `exclude` takes them."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if any(isinstance(marker, NotInIdentity) for marker in field.metadata):
            found[name] = True
        elif is_section(field) and (inner := _not_in_identity(cast(type[BaseModel], field.annotation))):
            found[name] = inner
    return found


def _pixels(job: TrainingJob, inputs: TaskInputs) -> str:
    """How pixels come to be: the versions of decoding and altering; logos and titles, where images are altered."""
    found = [section.augmentation for section in _sections(job) if hasattr(section, "augmentation")]
    altering: list[AugmentConfig] = found or [UNALTERED]
    made = [PreparePixels(inputs.data, 0, 0, config, vocabulary=inputs.vocabulary) for config in altering]
    return "".join(pixels.identity(sha256="", image_id="0", product=None) for pixels in made)


def _meaning(vocabulary: Vocabulary) -> str:
    """All of the vocabulary: what is written on a chart is matched to names and aliases too."""
    return vocabulary.to_yaml()
