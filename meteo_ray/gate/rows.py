"""Which rows of the index the gate uses, and of what kind they are."""

import json

import pyarrow as pa
import pyarrow.compute as pc

# What cross-entropy skips.
UNKNOWN_KIND = -1


def gate_rows(index: pa.Table, split: str, skip_ambiguous: bool) -> pa.Table:
    """The rows of a split whose `is_meteo` is known; with `skip_ambiguous` without those marked in `extra`."""
    keep = pc.and_(pc.equal(index["split"], split), pc.is_valid(index["is_meteo"]))
    found = index.filter(pc.fill_null(keep, False))
    if not skip_ambiguous:
        return found
    clear = [not json.loads(extra or "{}").get("ambiguous", False) for extra in found["extra"].to_pylist()]
    return found.filter(pa.array(clear, type=pa.bool_()))


def kinds(rows: pa.Table) -> tuple[str, ...]:
    """Every product and every kind of other image among the rows, in alphabetical order."""
    return tuple(sorted({kind for kind in _kind_names(rows) if kind}))


def kind_positions(rows: pa.Table, known: tuple[str, ...]) -> pa.Array:
    """Each row's place in `known`, int64 `(rows,)`; UNKNOWN_KIND where it has no kind or another one."""
    position = {name: number for number, name in enumerate(known)}
    return pa.array([position.get(kind or "", UNKNOWN_KIND) for kind in _kind_names(rows)], pa.int64())


def _kind_names(rows: pa.Table) -> list[str | None]:
    columns = (rows[name].to_pylist() for name in ("product", "extra"))
    return [product or json.loads(extra or "{}").get("kind") for product, extra in zip(*columns, strict=True)]
