"""What is wrong in station files, collected with file, line and date, and handled as the description says."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.source import Defects

VALUE, GAP, DOUBLED = "value", "gap", "doubled"


@dataclass(frozen=True)
class Defect:
    """One finding. `line` counts from 1 as an editor does (in NetCDF the time step), of a gap the row after it."""

    kind: str
    file: str
    line: int
    date: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} ({self.date}): {self.message}"


def require_allowed(found: Sequence[Defect], policy: Defects) -> None:
    """Raises UsageError naming every defect of a kind that the description refuses."""
    refused = {kind for kind in (VALUE, GAP, DOUBLED) if getattr(policy, kind) == "refuse"}
    problems = [str(defect) for defect in found if defect.kind in refused]
    if problems:
        raise UsageError.of_problems(
            f"{len(problems)} defects that the description of the files refuses (defects.value, gap, doubled):",
            problems,
        )


def told(found: Sequence[Defect], policy: Defects, most: int = 20) -> list[str]:
    """Lines for the log: every defect up to `most`, then how many more, and what was done."""
    done = {VALUE: "taken as missing", GAP: "left missing", DOUBLED: f"the {policy.doubled} row counts"}
    lines = [f"{defect}; {done[defect.kind]}" for defect in found[:most]]
    if len(found) > most:
        rest = Counter(defect.kind for defect in found[most:])
        lines.append("and " + ", ".join(f"{count} more ({kind})" for kind, count in rest.items()))
    return lines
