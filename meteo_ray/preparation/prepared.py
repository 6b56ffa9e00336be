"""What preparation made and noticed, as the terminal and the report tell it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from meteo_ray.preparation.leakage import Gap
from meteo_ray.schema import SPLITS

REJECTED_FILE, REPORT_FILE = "rejected.parquet", "report.html"

SHOWN_WARNINGS = 3  # on the terminal; the report has them all


@dataclass(frozen=True)
class PreparedData:
    """What jobs/prepare_data.py made, and what it noticed."""

    folder: Path
    index: pa.Table
    rejected: pa.Table
    warnings: list[str]
    gaps: list[Gap]

    def summary(self) -> str:
        """A few lines for the terminal; report.html has the details."""
        reasons = Counter(self.rejected["reason"].to_pylist())
        lines = [f"{self.index.num_rows} images in the index, {self.rejected.num_rows} left out"]
        lines += [f"  left out, {reason}: {count}" for reason, count in reasons.most_common()]
        splits = Counter(self.index["split"].to_pylist())
        charts = Counter(self.index.filter(self.index["is_meteo"])["split"].to_pylist())
        lines += [f"  {s}: {splits[s]} ({charts[s]} charts, {splits[s] - charts[s]} others)" for s in SPLITS]
        lines += [f"warning: {gap.short}" for gap in self.gaps]
        lines += [f"warning: {warning}" for warning in self.warnings[:SHOWN_WARNINGS]]
        if len(self.warnings) > SHOWN_WARNINGS:
            lines.append(f"warning: {len(self.warnings)} remarks in all, see the report")
        return "\n".join([*lines, f"report: {self.folder / REPORT_FILE}"])
