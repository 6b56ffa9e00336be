"""The errors that a user can act on; everything else is a defect and keeps its traceback.

MeteoRayError            any of them: one message, an exit status
├── UsageError           2: wrong flag, config value, path, label file or model folder
├── MachineFault         1: disk, mount, memory or processes of this machine failed; no file is to blame
└── TooManyBadRows       3: the job finished, and more inputs were bad than `--max-bad` allows
"""

from collections.abc import Sequence


class MeteoRayError(Exception):
    """Base of the errors whose message is written for the user; jobs print it and exit with `exit_status`."""

    exit_status = 1


class UsageError(MeteoRayError):
    """Raised before any work starts, when what the user gave cannot be used. The message says what to do."""

    exit_status = 2

    @classmethod
    def of_problems(cls, title: str, problems: Sequence[str], limit: int = 50) -> "UsageError":
        """One error naming every problem on a line of its own, at most `limit` of them."""
        lines = [title, *(f"  {problem}" for problem in problems[:limit])]
        if len(problems) > limit:
            lines.append(f"  ... and {len(problems) - limit} more")
        return cls("\n".join(lines))


class MachineFault(MeteoRayError):
    """Raised when this machine, its mounts or the network fail: the job stops and can go on where it was, because a
    verdict on a file would outlive the fault."""


class TooManyBadRows(MeteoRayError):
    """Raised after an archive job has written everything, when its share of bad rows is above `--max-bad`."""

    exit_status = 3
