"""Each contender, in its own process, gives the same answers for the same files."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.speed.agreement import agreement
from benchmarks.speed.groups import KINDS, OWN
from benchmarks.speed.images import FORMATS, Store, encoded
from benchmarks.speed.sessions import ContenderFailed, Session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    smooth = np.random.default_rng(2).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    picture = Image.fromarray(smooth).resize((640, 480), Image.Resampling.BICUBIC)
    store = Store(tmp_path)
    store.add("mixed", [encoded(picture, kind, (640, 480)) for kind in FORMATS])
    return store.folder("mixed", 6)


def options(kind: str) -> dict:
    return {"kind": kind, "judge": {"stages": [], "models": None}, "workers": 1}


def test_a_session_answers_and_counts_what_its_processes_used(folder, tmp_path):
    with Session(options("pillow"), tmp_path / "log.txt") as session:
        run = session.run(folder, memory=True, answers=True)
        again = session.run(folder)
    assert run.images == len(run.answer) == 6
    assert 0 < run.cpu_s < 60
    assert run.peak_mb > 10
    assert again.answer == {}


def test_a_contender_that_fails_is_told(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.jpg").write_bytes(b"no image")
    with Session(options("pillow"), tmp_path / "log") as session, pytest.raises(ContenderFailed, match="status 1; see"):
        session.run(broken)
    assert "UnidentifiedImageError" in (tmp_path / "log").read_text()


@pytest.mark.slow
@pytest.mark.long
def test_all_contenders_agree(folder, tmp_path):
    with ExitStack() as stack:
        sessions = {kind: stack.enter_context(Session(options(kind), tmp_path / "log.txt")) for kind in KINDS}
        answers = {kind: session.run(folder, answers=True).answer for kind, session in sessions.items()}
    assert agreement(answers, OWN, sorted(path.name for path in folder.iterdir()))["problems"] == []
