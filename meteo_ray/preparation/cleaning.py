"""Rows against each other and against the disk: repeated paths, contradictory labels, missing images (R3).

A contradiction is an error, because only the user knows which row is right. A repetition that agrees is a warning.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rapidfuzz import process

from meteo_ray.preparation.labels_file import LabelRow
from meteo_ray.vocabulary import Vocabulary

# rapidfuzz's likeness of `label` to `labels` is 91, of `title`, a usual further key, to `time` 67.
ALIKE = 80


@dataclass
class Findings:
    """What was noticed about the rows: errors stop the job, warnings stand in the report."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def contradiction(first: LabelRow, second: LabelRow) -> str | None:
    """What two rows about one image disagree on, in words; "not known" contradicts nothing."""
    if first.is_meteo != second.is_meteo:
        return f"is_meteo {int(first.is_meteo)} and {int(second.is_meteo)}"
    if first.labels is not None and second.labels is not None and set(first.labels) != set(second.labels):
        return f"labels {list(first.labels)} and {list(second.labels)}"
    if first.product and second.product and first.product != second.product:
        return f"products {first.product} and {second.product}"
    return None


def drop_repeated_paths(file: Path, rows: Sequence[tuple[int, LabelRow]]) -> tuple[list[LabelRow], Findings]:
    """Each path's first row; later rows of the same path are warnings when they agree and errors when not."""
    kept: dict[str, tuple[int, LabelRow]] = {}
    findings = Findings()
    for number, row in rows:
        if row.path not in kept:
            kept[row.path] = (number, row)
            continue
        first_number, first = kept[row.path]
        conflict = contradiction(first, row)
        if conflict:
            findings.errors.append(f"{file}:{number}: {row.path}: {conflict}; line {first_number} has the first")
        else:
            findings.warnings.append(
                f"{file}:{number}: {row.path} was already labelled in line {first_number}; ignored"
            )
    return [row for _, row in kept.values()], findings


def product_warnings(rows: Iterable[LabelRow], vocabulary: Vocabulary) -> list[str]:
    """Rows whose known labels lack an element that their product always shows: one of the two is likely wrong."""
    warnings = []
    for row in rows:
        if row.product is None or row.labels is None:
            continue
        absent = [e for e in vocabulary.product_by_id[row.product].elements if e not in row.labels]
        if absent:
            warnings.append(f"{row.path}: product {row.product} shows {', '.join(absent)}, but labels do not say so")
    return warnings


def misspelt_keys(rows: Iterable[LabelRow]) -> list[str]:
    """Unknown keys that look like a known one: kept as they are, but their author most likely meant the other."""
    counts = Counter(key for row in rows for key in row.extra)
    warnings = []
    for key, count in counts.items():
        nearest = process.extractOne(key, list(LabelRow.model_fields), score_cutoff=ALIKE)
        if nearest:
            warnings.append(f"{count} rows have a key {key!r}, which is not used; did you mean {nearest[0]!r}?")
    return warnings


def compare_equal_images(rows: Sequence[LabelRow], sha256: Sequence[str]) -> Findings:
    """Rows whose files hold the same bytes: errors when their labels contradict, one warning a group when not."""
    groups: dict[str, list[LabelRow]] = defaultdict(list)
    for row, digest in zip(rows, sha256, strict=True):
        groups[digest].append(row)
    findings = Findings()
    for group in (group for group in groups.values() if len(group) > 1):
        first = group[0]
        conflicts = [(other, contradiction(first, other)) for other in group[1:]]
        findings.errors += [f"{first.path} and {other.path} are the same image: {c}" for other, c in conflicts if c]
        if not any(c for _, c in conflicts):
            findings.warnings.append(f"the same image {len(group)} times: {', '.join(row.path for row in group)}")
    return findings


def missing_images(data: Path, rows: Iterable[LabelRow]) -> set[str]:
    """The paths that no file stands behind; a directory, or a link to nothing, counts as missing."""
    return {row.path for row in rows if not _is_file(data / row.path)}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system allows
        return False
