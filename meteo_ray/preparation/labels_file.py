"""labels.jsonl -> rows with ids of the vocabulary (R1, R3). Everything wrong with the file is reported in one go.

A row is `{"path", "is_meteo", "labels", "product"}` with optional `time` (ISO 8601) and `source`; other keys are kept
in `extra`, but for `text_lines`, which are only checked. `labels` null or absent means that the elements are not known,
`[]` that the image shows none.
"""

import posixpath
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from meteo_ray.errors import UsageError
from meteo_ray.preparation.given_lines import KEY, given_lines, shown
from meteo_ray.preparation.json_lines import read_json_lines
from meteo_ray.vocabulary import Vocabulary

FILE_NAME = "labels.jsonl"


class LabelRow(BaseModel):
    """One labelled image. Validation resolves every accepted spelling to an id, given a context `vocabulary`."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    path: str = Field(min_length=1)
    is_meteo: bool
    labels: tuple[str, ...] | None = None
    product: str | None = None
    time: datetime | None = None
    source: str | None = Field(None, min_length=1)
    text_lines: None = None  # checked and let go: kept, they would be many times the rest of the row

    @property
    def extra(self) -> dict[str, Any]:
        """The keys that this system does not read."""
        return dict(self.model_extra or {})

    @field_validator("path", mode="after")
    @classmethod
    def _inside_the_data_folder(cls, path: str) -> str:
        """Textual on purpose: a symbolic link inside the data folder is its owner's decision, `../` is not."""
        normal = posixpath.normpath(path)
        if "\0" in path or normal in (".", "..") or normal.startswith(("/", "../")):
            raise ValueError(f"{path!r} leaves the data folder; write it relative to that folder, as images/a.png")
        return normal

    @field_validator("is_meteo", mode="before")
    @classmethod
    def _zero_or_one(cls, value: Any) -> bool:
        if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
            return bool(value)
        raise ValueError(f"expected 0, 1, true or false, found {shown(value)}")

    @field_validator("labels", mode="before")
    @classmethod
    def _resolve_labels(cls, value: Any, info: ValidationInfo) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise ValueError(f"expected a list of names, null (not known) or [] (none), found {shown(value)}")
        return _resolve_elements(value, _vocabulary(info))

    @field_validator("product", mode="after")
    @classmethod
    def _resolve_product(cls, value: str | None, info: ValidationInfo) -> str | None:
        vocabulary = _vocabulary(info)
        if value is None or vocabulary is None:
            return value
        try:
            return vocabulary.resolve_product(value)
        except KeyError as error:
            raise ValueError(error.args[0]) from None

    @field_validator("time", mode="before")
    @classmethod
    def _to_utc(cls, value: Any) -> datetime | None:
        """UTC without a zone, whole seconds; a time without a zone is taken as UTC."""
        if value is None:
            return None
        try:
            time = datetime.fromisoformat(value)
            time = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"expected ISO 8601 such as 2024-07-01T08:00:00+08:00, found {shown(value)}") from None
        return time.replace(microsecond=0)

    @field_validator("text_lines", mode="before")
    @classmethod
    def _check_lines(cls, value: Any) -> None:
        given_lines({KEY: value})

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "LabelRow":
        if not self.is_meteo and (self.labels or self.product):
            raise ValueError("is_meteo is 0, yet labels or a product are given; one of them is wrong")
        return self


@dataclass(frozen=True)
class LabelsFile:
    """The good rows with their line numbers, and what is wrong with the others as `file:line: what`."""

    path: Path
    rows: list[tuple[int, LabelRow]]
    problems: list[str]


def read_labels(path: Path, vocabulary: Vocabulary | None) -> LabelsFile:
    """Read every row; without a vocabulary (it may be broken itself) names are left as they stand.

    Raises:
        UsageError: when there is no such file or it is no UTF-8 text; single bad rows are in `problems` instead.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file; every image needs a row there (README.md shows one)")
    result = LabelsFile(path, [], [])
    for number, document in read_json_lines(path, result.problems):
        try:
            row = LabelRow.model_validate(document, context={"vocabulary": vocabulary})
        except ValidationError as error:
            result.problems.extend(f"{path}:{number}: {problem}" for problem in _problems(error))
        else:
            result.rows.append((number, row))
    result.problems.sort(key=_line_number(path))
    return result


def _problems(error: ValidationError) -> list[str]:
    found = []
    for entry in error.errors():
        reason = entry.get("ctx", {}).get("error")
        name = ".".join(str(part) for part in entry["loc"])
        message = str(reason) if isinstance(reason, ValueError) else f"{entry['msg']}, found {shown(entry['input'])}"
        if entry["type"] == "missing":
            message = "is required"
        found.append(f"{name}: {message}" if name else message)
    return found


def _vocabulary(info: ValidationInfo) -> Vocabulary | None:
    return (info.context or {}).get("vocabulary")


def _resolve_elements(names: list[str], vocabulary: Vocabulary | None) -> tuple[str, ...]:
    """Ids in the vocabulary's order, each once: two spellings of one element are one element."""
    if vocabulary is None:
        return tuple(names)
    ids, problems = set(), []
    for name in names:
        try:
            ids.add(vocabulary.resolve_element(name))
        except KeyError as error:
            problems.append(error.args[0])
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(sorted(ids, key=vocabulary.element_position.__getitem__))


def _line_number(path: Path) -> Any:
    prefix = len(f"{path}:")
    return lambda problem: int(problem[prefix:].split(":", 1)[0])
