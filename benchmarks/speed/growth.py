"""How cost grows: with images, pixels, workers and duplicates."""

from contextlib import ExitStack
from statistics import mean
from typing import Any

from benchmarks.speed.arithmetic import exponent, line, marginal_costs
from benchmarks.speed.bench import GATE, Bench
from benchmarks.speed.groups import OWN, Parts
from benchmarks.speed.images import FORMATS, JPEG
from benchmarks.speed.interleaved import SMALL, each_image, foreign_share

DUPLICATES = 0.9
# Small files: what grows is the engine's part.
SMALL_IMAGES = (320, 240)


def growth(bench: Bench) -> Parts:
    for name, measure in {"images": images, "pixels": pixels, "workers": workers, "duplicates": duplicates}.items():
        yield name, measure(bench)


def images(bench: Bench) -> dict[str, Any]:
    """Seconds and peak memory of the job over the number of images."""
    name, counts = bench.files(JPEG, SMALL_IMAGES), bench.plan.counts
    with ExitStack() as stack:
        own = bench.session(stack, OWN)
        own.run(bench.store.folder(name, counts[-1]))  # the first run warms up
        runs = [own.run(bench.store.folder(name, count), memory=True) for count in counts]
    seconds, peaks = [run.seconds for run in runs], [run.peak_mb or 0.0 for run in runs]
    fitted = line(counts, seconds)
    return {
        "counts": counts,
        "seconds": seconds,
        "peak_mb": peaks,
        "fixed_s": fitted.fixed,
        "each_ms": 1e3 * fitted.each,
        "exponent": _exponent(*marginal_costs(counts, seconds)),
        "memory_exponent": exponent(counts, peaks),
        "foreign_share": foreign_share(runs),
    }


def _exponent(counts: list[float], seconds: list[float]) -> float | None:
    """None where noise left a longer run no longer than the shortest."""
    return exponent(counts, seconds) if min(seconds) > 0 else None


def pixels(bench: Bench) -> dict[str, Any]:
    """CPU seconds of reading, hashing, decoding and fitting one image, over its pixels, by format: a floor."""
    found: dict[str, Any] = {}
    areas = [width * height for width, height in bench.plan.sizes]
    for kind in FORMATS:
        costs = [bench.floor("load", bench.files(kind, size)).cpu_s for size in bench.plan.sizes]
        found[kind] = {"cpu_ms": [1e3 * cost for cost in costs], "exponent": exponent(areas, costs)}
    return {"sizes": bench.plan.sizes, **found}


def workers(bench: Bench) -> dict[str, Any]:
    """Images a second by the number of reading processes; nobody judges."""
    name, most = bench.files(JPEG), bench.plan.most
    rates: dict[str, float] = {}
    with ExitStack() as stack:
        own = bench.session(stack, OWN)
        for count in range(1, bench.workers + 1):
            own.run(bench.store.folder(name, SMALL), readers=count)
            few = own.run(bench.store.folder(name, SMALL), readers=count)
            many = own.run(bench.store.folder(name, most), readers=count)
            rates[str(count)] = 1 / each_image(few, many)
    return {"images_per_second": rates}


def duplicates(bench: Bench) -> dict[str, Any]:
    """What an archive costs of which nine files in ten are copies of others, against one of different files."""
    name, most = bench.mixed(), bench.plan.most
    with ExitStack() as stack:
        own = bench.session(stack, OWN, GATE)
        own.run(bench.store.folder(name, SMALL))
        few = own.run(bench.store.folder(name, SMALL))
        different = own.run(bench.store.folder(name, most))
        few_copies = own.run(bench.store.folder(name, SMALL, DUPLICATES))
        copies = own.run(bench.store.folder(name, most, DUPLICATES))
        again = own.run(bench.store.folder(name, most))
    whole = mean(each_image(few, run) for run in (different, again))
    share = foreign_share([few, different, few_copies, copies, again])
    return {"share": DUPLICATES, "images": most, "cost": each_image(few_copies, copies) / whole, "foreign_share": share}
