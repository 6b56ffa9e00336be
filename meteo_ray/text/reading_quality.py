"""How often the text of a split's images was read, and a title found that is right."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from meteo_ray.text.normalise import normalised


def reading_quality(rows: pa.Table) -> dict[str, Any]:
    """Of index rows with texts (`table.with_texts`).

    A chart's `title` in labels.jsonl counts as read where it stands in the title that was found, because charts print
    dates and centres beside their name. Both are normalised, without spaces.

    Returns:
        read: share of the rows whose text was read; with_title: share of those on which a title was found;
        titles_given: how many charts among those have a `title` in labels.jsonl; titles_right: the share of them whose
        title was read; titles_equal: the share where it is all of the title that was found. None where undefined.
    """
    read = [row for row in rows.select(["title", "text", "is_meteo", "extra"]).to_pylist() if row["text"] is not None]
    given = [(json.loads(row["extra"] or "{}").get("title"), row) for row in read if row["is_meteo"]]
    pairs = [(_letters(title), _letters(row["title"])) for title, row in given if isinstance(title, str) and title]
    return {
        "read": len(read) / rows.num_rows if rows.num_rows else None,
        "with_title": _share([bool(row["title"]) for row in read]),
        "titles_given": len(pairs),
        "titles_right": _share([given in found for given, found in pairs]),
        "titles_equal": _share([given == found for given, found in pairs]),
    }


def _letters(title: str | None) -> str:
    return normalised(title or "").replace(" ", "")


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None
