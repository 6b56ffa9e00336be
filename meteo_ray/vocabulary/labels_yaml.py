"""Reading a labels.yaml: whichever is in force, checked as a whole (R2)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meteo_ray.errors import UsageError
from meteo_ray.vocabulary.vocabulary import Element, Product, Vocabulary, normalise

logger = logging.getLogger("meteo_ray")

FILE_NAME = "labels.yaml"

DEFAULT_PATH = Path(__file__).resolve().parent / FILE_NAME


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    elements: list[Element] = Field(min_length=1)
    products: list[Product]


def choose_vocabulary(labels: Path | None, data: Path | None = None) -> Vocabulary:
    """The vocabulary in force: the file that --labels names, else DATA/labels.yaml, else the package's own.

    Raises:
        UsageError: as `load_vocabulary`.
    """
    if labels is None and data is not None and ((data / FILE_NAME).exists() or (data / FILE_NAME).is_symlink()):
        labels = data / FILE_NAME
    if labels is not None:
        logger.info("labels: %s", labels)
    return load_vocabulary(labels or DEFAULT_PATH)


def load_vocabulary(path: Path | str = DEFAULT_PATH) -> Vocabulary:
    """Read and check a labels.yaml.

    Raises:
        UsageError: naming every problem of the file at once.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        file = _File.model_validate(yaml.safe_load(text))
        problems = _consistency_problems(file)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot read the vocabulary: {error}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        problems = [
            (entry["loc"], f"{'.'.join(map(str, entry['loc'])) or 'file'}: {entry['msg']}") for entry in error.errors()
        ]
    if problems:
        located = [f"{path}:{_line(text, place)}: {problem}" for place, problem in problems]
        raise UsageError.of_problems("not a usable vocabulary:", located)
    return Vocabulary(tuple(file.elements), tuple(file.products))


Place = tuple[int | str, ...]
"""Keys and list positions that lead to a node of the YAML file."""


def _consistency_problems(file: _File) -> list[tuple[Place, str]]:
    """Names with two meanings and products of unknown elements, each with its place in the file."""
    element_ids = {element.id for element in file.elements}
    element_names = [(e.id, e.names) for e in file.elements]
    product_names = [(p.id, p.names) for p in file.products]
    problems = _ambiguous_names("elements", element_names) + _ambiguous_names("products", product_names)
    for position, product in enumerate(file.products):
        unknown = [element for element in product.elements if element not in element_ids]
        place = ("products", position, "elements")
        problems += [(place, f"product {product.id}: unknown element {element!r}") for element in unknown]
    return problems


def _ambiguous_names(section: str, entries: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[Place, str]]:
    problems: list[tuple[Place, str]] = []
    owners: dict[str, str] = {}
    for position, (identifier, names) in enumerate(entries):
        for name in dict.fromkeys(map(normalise, names)):
            if name in owners:
                message = f"{section.removesuffix('s')} {identifier}: the name {name!r} already means {owners[name]}"
                problems.append(((section, position), message))
            owners.setdefault(name, identifier)
    return problems


def _line(text: str, place: Place) -> int:
    """The line (from 1) of the innermost node on the way to `place` that the file has."""
    node = yaml.compose(text, yaml.SafeLoader)
    line = 0
    for step in place:
        children: dict[Any, yaml.Node] = {}
        if isinstance(node, yaml.MappingNode):
            children = {key.value: value for key, value in node.value}
        elif isinstance(node, yaml.SequenceNode):
            children = dict(enumerate(node.value))
        if step not in children:
            break
        node = children[step]
        line = node.start_mark.line
    return line + 1
