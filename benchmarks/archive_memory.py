"""python benchmarks/archive_memory.py [--images 2000 50000]

Does the archive job's memory grow with the archive? Small pictures, all different, are painted and judged by predictors
that cost nothing (tests/archive/fakes.py), so that what is left is the engine. Prints for each number of images the
peak memory of the driver, and of the object store (what lies in /dev/shm at the most), in MB.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

INTERVAL_S = 0.2
MEGABYTE = 2**20


def paint(folder: Path, images: int) -> Path:
    """JPEGs of 320 x 240 pixels that need no fitting, 3 kB each, all different, a thousand to a folder."""
    generator = np.random.default_rng(0)
    picture = np.tile(np.linspace(0, 255, 320).astype(np.uint8)[:, None], (240, 1, 3))
    for number in range(images):
        place = folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        picture[:16, :16] = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(picture).save(place, quality=80)
    return folder


def peak_of(process: "subprocess.Popen[bytes]") -> float:
    """The most that a process has held so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def measure(images: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        archive = paint(Path(scratch, "archive"), images)
        command = [sys.executable, "-m", "tests.archive.fakes", "--archive", archive, "--out", Path(scratch, "out")]
        command += ["--models", Path(scratch, "models"), "--stages", "gate"]
        before, started = shutil.disk_usage("/dev/shm").used, time.perf_counter()
        job = subprocess.Popen([str(part) for part in command], cwd=Path(__file__).parent.parent)
        driver = store = 0.0
        while job.poll() is None:
            driver = max(driver, peak_of(job))
            store = max(store, (shutil.disk_usage("/dev/shm").used - before) / MEGABYTE)
            time.sleep(INTERVAL_S)
        seconds = time.perf_counter() - started
    return {
        "images": images,
        "exit_status": job.returncode,
        "driver_mb": round(driver),
        "object_store_mb": round(store),
        "seconds": round(seconds),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[2_000, 50_000])
    for images in parser.parse_args().images:
        print(json.dumps(measure(images)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
