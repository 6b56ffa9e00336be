"""The vocabulary: which elements and products exist, and every spelling that names them (R2).

The order of `docs/labels.yaml` is the order of every multi-hot vector and every model output.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rapidfuzz import process

from meteo_ray.errors import UsageError

DEFAULT_PATH = Path(__file__).resolve().parent.parent / "docs" / "labels.yaml"


class Element(BaseModel):
    """A meteorological element that a chart can show."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()


class Product(BaseModel):
    """A product that an office issues, and the element ids that it must show."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    elements: tuple[str, ...] = Field(min_length=1)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    elements: list[Element] = Field(min_length=1)
    products: list[Product]


def normalise(name: str) -> str:
    """The spelling that two names are compared by: full width folded to half width, case and outer space dropped."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


@dataclass(frozen=True)
class Vocabulary:
    """Elements and products in file order, with look-up by any accepted spelling."""

    elements: tuple[Element, ...]
    products: tuple[Product, ...]

    @cached_property
    def element_ids(self) -> tuple[str, ...]:
        return tuple(element.id for element in self.elements)

    @cached_property
    def product_ids(self) -> tuple[str, ...]:
        return tuple(product.id for product in self.products)

    @cached_property
    def element_position(self) -> dict[str, int]:
        return {element_id: position for position, element_id in enumerate(self.element_ids)}

    @cached_property
    def product_by_id(self) -> dict[str, Product]:
        return {product.id: product for product in self.products}

    @cached_property
    def element_by_id(self) -> dict[str, Element]:
        return {element.id: element for element in self.elements}

    @cached_property
    def _element_names(self) -> dict[str, str]:
        return {normalise(name): e.id for e in self.elements for name in (e.id, e.zh, e.en, *e.aliases)}

    @cached_property
    def _product_names(self) -> dict[str, str]:
        return {normalise(name): p.id for p in self.products for name in (p.id, p.zh)}

    def resolve_element(self, name: str) -> str:
        """The id of the element that `name` (id, zh, en or alias; any case or width) means.

        Raises:
            KeyError: with a message naming the nearest known spelling.
        """
        return _resolve(name, self._element_names, "element")

    def resolve_product(self, name: str) -> str:
        """The id of the product that `name` (id or zh; any case or width) means; KeyError as `resolve_element`."""
        return _resolve(name, self._product_names, "product")

    def multi_hot(self, element_ids: Iterable[str]) -> np.ndarray:
        """A float32 vector `(elements,)` with 1 at every given id."""
        vector = np.zeros(len(self.elements), dtype=np.float32)
        vector[[self.element_position[element_id] for element_id in element_ids]] = 1.0
        return vector

    def to_yaml(self) -> str:
        """The text of a labels.yaml that reads back as this vocabulary; model bundles carry it."""
        document = {
            "elements": [element.model_dump(mode="json") for element in self.elements],
            "products": [product.model_dump(mode="json") for product in self.products],
        }
        return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


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


def differences(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """What differs between two ordered label lists, in words; empty when they are the same."""
    only_ours = [name for name in ours if name not in theirs]
    only_theirs = [name for name in theirs if name not in ours]
    found = []
    if only_ours:
        found.append(f"only in the vocabulary: {', '.join(only_ours)}")
    if only_theirs:
        found.append(f"only in the model: {', '.join(only_theirs)}")
    if not found and list(ours) != list(theirs):
        first = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
        found.append(f"other order from position {first}: {ours[first]} here, {theirs[first]} in the model")
    return found


def _resolve(name: str, names: dict[str, str], kind: str) -> str:
    key = normalise(name)
    if key in names:
        return names[key]
    nearest = process.extractOne(key, names.keys(), score_cutoff=50)
    hint = ""
    if nearest:
        meaning = "" if nearest[0] == names[nearest[0]] else f" ({names[nearest[0]]})"
        hint = f"; did you mean {nearest[0]!r}{meaning}?"
    raise KeyError(f"unknown {kind} {name!r}{hint}")


Place = tuple[int | str, ...]
"""Keys and list positions that lead to a node of the YAML file."""


def _consistency_problems(file: _File) -> list[tuple[Place, str]]:
    """Names with two meanings and products of unknown elements, each with its place in the file."""
    element_ids = {element.id for element in file.elements}
    element_names = [(e.id, [e.id, e.zh, e.en, *e.aliases]) for e in file.elements]
    product_names = [(p.id, [p.id, p.zh]) for p in file.products]
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
