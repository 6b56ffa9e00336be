"""Elements and products in memory; their order is that of every multi-hot vector and every model output (R2)."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator
from rapidfuzz import process

ANY = "any"
"""What a labels.yaml says instead of a product's elements where no element tells the product."""


class Element(BaseModel):
    """A meteorological element that a chart can show."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every spelling that means it, the id first."""
        return (self.id, self.zh, self.en, *self.aliases)


class Product(BaseModel):
    """A product that an office issues, and the element ids that it must show.

    `elements: any` stands for a product that may show whichever, such as a verification map or a vertical section; in
    memory that is an empty tuple. An empty list is refused, for it may as well have been left unfinished.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    en: str | None = Field(None, min_length=1)
    aliases: tuple[str, ...] = ()
    elements: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every spelling that means it, the id first."""
        return (self.id, *self.titles)

    @property
    def titles(self) -> tuple[str, ...]:
        """What a chart can be titled when it is this product: all names but the id."""
        return (self.zh, *([self.en] if self.en else []), *self.aliases)

    @field_validator("elements", mode="before")
    @classmethod
    def _any(cls, value: Any) -> Any:
        if value == ANY:
            return ()
        if not isinstance(value, list | tuple) or not value or ANY in value:
            raise ValueError(f"expected a list of at least 1 element; {ANY!r} where the product may show whichever")
        return value

    @field_serializer("elements", when_used="json")
    def _as_written(self, elements: tuple[str, ...]) -> list[str] | str:
        return list(elements) or ANY


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
        return {normalise(name): e.id for e in self.elements for name in e.names}

    @cached_property
    def _product_names(self) -> dict[str, str]:
        return {normalise(name): p.id for p in self.products for name in p.names}

    def resolve_element(self, name: str) -> str:
        """The id of the element that `name` (id, zh, en or alias; any case or width) means.

        Raises:
            KeyError: with a message naming the nearest known spelling.
        """
        return _resolve(name, self._element_names, "element")

    def resolve_product(self, name: str) -> str:
        """The id of the product that `name` (as of an element) means; KeyError as `resolve_element`."""
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
            "products": [product.model_dump(mode="json", exclude_none=True) for product in self.products],
        }
        return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


def normalise(name: str) -> str:
    """The spelling that two names are compared by: full width folded to half width, case and outer space dropped."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def element_ids(detected: Iterable[object] | None) -> list[str]:
    """Ids out of what stage 2 or the index hands over: plain ids, or `{"id", "score"}`; None reads as none found."""
    return [str(entry["id"] if isinstance(entry, dict) else entry) for entry in ([] if detected is None else detected)]


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
