"""report.html of a prepared data folder: one self-contained page that shows what the labels say (R3, R4)."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from meteo_ray.preparation.config import PrepareData
from meteo_ray.preparation.prepared import PreparedData
from meteo_ray.preparation.thumbnails import COLUMNS, evenly, inline_sheet
from meteo_ray.schema import SPLITS
from meteo_ray.versions import versions
from meteo_ray.vocabulary import Vocabulary

# Three lines of thumbnails for charts and others, one for every element and product.
LARGE_SHEET, SMALL_SHEET = 3 * COLUMNS, COLUMNS

# A page that a browser opens at once: lists are cut here, the Parquet files have everything.
LONGEST_LIST = 200
MOST_GROUPS = 40
MOST_SIZES = 15

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Sheet:
    """A line of thumbnails under a heading."""

    title: str
    count: int
    image: str


@dataclass(frozen=True)
class Count:
    """A name, its count in each split, and all together."""

    name: str
    title: str
    splits: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.splits)


def write_report(prepared: PreparedData, config: PrepareData, data: Path, vocabulary: Vocabulary, path: Path) -> None:
    """Write the page to `path`; file names and labels are escaped, images are inline, nothing is fetched."""
    environment = Environment(
        loader=PackageLoader("meteo_ray.preparation", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html").render(
        prepared=prepared, config=config, data=data, splits=SPLITS, limit=LONGEST_LIST, versions=versions(),
        written=datetime.now(UTC), **_statistics(prepared, data, vocabulary),
    )  # fmt: skip
    path.write_text(page, "utf-8", errors="backslashreplace")


def _statistics(prepared: PreparedData, data: Path, vocabulary: Vocabulary) -> dict[str, Any]:
    rows: Rows = prepared.index.to_pylist()
    elements = [(element.id, element.zh) for element in vocabulary.elements]
    products = [(product.id, product.zh) for product in vocabulary.products]
    element_counts = _counts(rows, elements, lambda row: row["elements"] or ())
    product_counts = _counts(rows, products, lambda row: [row["product"]])
    return {
        "overview": _overview(rows),
        "element_counts": element_counts,
        "product_counts": product_counts,
        "source_counts": _found_counts(rows, "source"),
        "size_counts": Counter(f"{row['width']} x {row['height']}" for row in rows).most_common(MOST_SIZES),
        "format_counts": Counter(row["format"] for row in rows).most_common(),
        "rejected_counts": Counter(prepared.rejected["reason"].to_pylist()).most_common(),
        "rejected_rows": prepared.rejected.slice(0, LONGEST_LIST).to_pylist(),
        "together": _co_occurrence(rows, [count.name for count in element_counts]),
        "sheets": list(_sheets(rows, data, element_counts, product_counts)),
        **_duplicates(rows, data),
    }


def _overview(rows: Rows) -> list[dict[str, Any]]:
    """One line a split, and one for all."""
    lines = []
    for split in (*SPLITS, None):
        members = [row for row in rows if split is None or row["split"] == split]
        days = [row["time"].date() for row in members if row["time"] is not None]
        lines.append(
            {
                "split": split or "all",
                "rows": len(members),
                "charts": sum(row["is_meteo"] for row in members),
                "elements_known": sum(row["elements"] is not None for row in members),
                "product_known": sum(row["product"] is not None for row in members),
                "sources": len({row["source"] for row in members} - {None}),
                "groups": len({row["duplicate_group"] for row in members}),
                "days": f"{min(days)} to {max(days)}" if days else "-",
            }
        )
    return lines


def _counts(rows: Rows, names: Iterable[tuple[str, str]], labels: Any) -> list[Count]:
    """How often each name that occurs at all stands in each split, in the vocabulary's order."""
    found = Counter((label, row["split"]) for row in rows for label in labels(row))
    counts = [Count(name, title, tuple(found[name, split] for split in SPLITS)) for name, title in names]
    return [count for count in counts if count.total]


def _found_counts(rows: Rows, column: str) -> list[Count]:
    names = Counter(row[column] for row in rows if row[column] is not None)
    return _counts(rows, [(name, "") for name, _ in names.most_common()], lambda row: [row[column]])


def _co_occurrence(rows: Rows, names: list[str]) -> list[list[tuple[int, float]]]:
    """For every pair of elements: images that show both, and their share of those that show the first."""
    pairs = Counter((a, b) for row in rows for a in row["elements"] or () for b in row["elements"])
    return [[(pairs[a, b], pairs[a, b] / pairs[a, a]) for b in names] for a in names]


def _sheets(rows: Rows, data: Path, elements: list[Count], products: list[Count]) -> Iterable[Sheet]:
    for value, title in ((True, "charts"), (False, "others")):
        yield _sheet(data, title, [row["path"] for row in rows if row["is_meteo"] is value], LARGE_SHEET)
    unknown = [row["path"] for row in rows if row["is_meteo"] and row["elements"] is None]
    yield _sheet(data, "charts whose elements are not known", unknown, SMALL_SHEET)
    for count in elements:
        shown = [row["path"] for row in rows if count.name in (row["elements"] or ())]
        yield _sheet(data, f"{count.name} {count.title}", shown, SMALL_SHEET)
    for count in products:
        shown = [row["path"] for row in rows if row["product"] == count.name]
        yield _sheet(data, f"{count.name} {count.title}", shown, SMALL_SHEET)


def _sheet(data: Path, title: str, paths: list[str], most: int) -> Sheet:
    return Sheet(title, len(paths), inline_sheet(data, evenly(paths, most)) if paths else "")


def _duplicates(rows: Rows, data: Path) -> dict[str, Any]:
    """The largest duplicate groups with thumbnails; those whose labels differ come first, they are likely mistakes."""
    members: dict[Hashable, Rows] = defaultdict(list)
    for row in rows:
        members[row["duplicate_group"]].append(row)
    groups = [group for group in members.values() if len(group) > 1]
    described = [
        {
            "paths": [row["path"] for row in group],
            "exact": len({row["sha256"] for row in group}) == 1,
            "differ": _labels_differ(group),
            "split": group[0]["split"],
        }
        for group in groups
    ]
    described.sort(key=lambda group: (not group["differ"], -len(group["paths"]), group["paths"][0]))
    for group in described[:MOST_GROUPS]:
        group["image"] = inline_sheet(data, evenly(group["paths"], SMALL_SHEET))
    return {"duplicate_groups": described[:MOST_GROUPS], "duplicate_count": len(described)}


def _labels_differ(group: Rows) -> bool:
    elements = {tuple(sorted(row["elements"])) for row in group if row["elements"] is not None}
    products = {row["product"] for row in group} - {None}
    return len({row["is_meteo"] for row in group}) > 1 or len(elements) > 1 or len(products) > 1
