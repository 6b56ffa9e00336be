"""What a walk prints of its archive: what it held, and how the answers agree with what was drawn."""

from pathlib import Path

from meteo_ray.demo.agreement import agreement
from meteo_ray.files import read_json

TRUTH = "archive_truth.jsonl"  # in the folder of the walk: what was drawn into the archive


def archive_line(out: Path) -> str:
    """How many files the archive of the walk in `out` has, by status."""
    archive = read_json(out / "out" / "summary.json")
    counts = ", ".join(f"{count} {status}" for status, count in archive["status"].items())
    return f"archive: {archive['rows']} files ({counts})"


def answered(out: Path, whose: str) -> str:
    """A table of the answers that `whose` models gave on the archive of the walk in `out`, beside what was drawn."""
    found = agreement(out / "out" / "predictions", out / TRUTH)
    values = (
        ("gate", "charts and others told apart", found.told_apart),
        ("elements", "micro-F1 over all charts", found.element_f1),
        ("products", "charts with the right product", found.products),
    )
    drawn = f"{found.images} drawn images"
    lines = ["", f"{archive_line(out)}, answered by {whose}", f"{'stage':<10} {'metric':<27} {drawn:>17}", "-" * 56]
    lines += [f"{stage:<10} {title:<34} {value:>10.3f}" for stage, title, value in values if value is not None]
    return "\n".join([*lines, f"report: {out / 'out' / 'report.html'}", ""])
