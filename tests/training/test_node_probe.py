"""What every machine of a cluster must have is asked for before the first epoch, and told by machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from meteo_ray import bundle, cluster
from meteo_ray.errors import UsageError
from meteo_ray.training import node_probe
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.node_probe import IMAGES, Needs, needs_of, problems_here, require_on_every_node
from meteo_ray.vocabulary import load_vocabulary
from tests.pictures import picture_index
from tests.training.line_task import LineTask


class TaskWithFiles(LineTask):
    def __init__(self, *files: Path) -> None:
        super().__init__()
        self._files = list(files)

    def files(self) -> list[Path]:
        return self._files


@pytest.fixture
def needs(tmp_path: Path) -> Needs:
    """Images, a base model's folder, an earlier stage's model and the run's folder."""
    for name in ("base/model.safetensors", f"models/elements/{bundle.SUMS}", "models/runs/a/config.yaml"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    index = picture_index(tmp_path, 4)
    inputs = TaskInputs(tmp_path, tmp_path / "models", tmp_path / "cache", index, load_vocabulary())
    run_file = tmp_path / "models/runs/a/config.yaml"
    return needs_of(TaskWithFiles(tmp_path / "base"), replace(inputs, answered_by={"elements": "1"}), [index], run_file)


def test_a_machine_that_has_everything_has_no_problem(needs: Needs) -> None:
    assert len(needs.images) == IMAGES
    assert {path.name for path, _ in needs.files} == {"model.safetensors", bundle.SUMS, "config.yaml"}
    assert problems_here(needs, trains=True) == []


def test_what_a_machine_lacks_is_named(needs: Needs, tmp_path: Path) -> None:
    gone, other = needs.images[0][0], needs.images[1][0]
    gone.unlink()
    other.write_bytes(b"another file")
    (tmp_path / "base/model.safetensors").write_text("shorter")
    (tmp_path / "models/runs/a/config.yaml").unlink()
    found = "\n".join(problems_here(replace(needs, code="0.0 (code abc)"), trains=True))
    for words in (f"{gone}: No such file", f"{other}: not the bytes", "7 bytes, 22 where", "config.yaml: no such file"):
        assert words in found
    assert "0.0 (code abc) where the job was started" in found
    prepares_only = problems_here(needs, trains=False)
    assert len(prepares_only) == 2  # first weights are no matter to a machine that only decodes


def test_a_row_that_is_lost_everywhere_is_no_machines_fault(needs: Needs, tmp_path: Path) -> None:
    index = picture_index(tmp_path / "few", 2)
    inputs = TaskInputs(tmp_path / "few", tmp_path, tmp_path, index, load_vocabulary())
    (tmp_path / "few" / index["path"][0].as_py()).unlink()
    found = needs_of(LineTask(), inputs, [index], needs.files[0][0])
    assert len(found.images) == index.num_rows - 1
    for path in index["path"].to_pylist()[1:]:
        (tmp_path / "few" / path).unlink()
    with pytest.raises(UsageError, match="none of the images that were looked at can be read"):
        needs_of(LineTask(), inputs, [index], needs.files[0][0])


def test_each_machine_is_asked_and_named(ray_session: None, needs: Needs, monkeypatch: pytest.MonkeyPatch) -> None:
    require_on_every_node(needs, "CPU")
    monkeypatch.setattr(cluster, "_this_node", lambda: "another machine")  # so that this one is asked as others are
    require_on_every_node(needs, "CPU")
    needs.images[0][0].unlink()
    with pytest.raises(UsageError, match=r"not every machine.*\n.*\d+\.\d+\.\d+\.\d+ .*No such file"):
        require_on_every_node(needs, "CPU")


def test_a_machine_without_the_package_is_named(ray_session: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(needs: Needs, trains: bool) -> list[str]:
        raise ModuleNotFoundError("No module named 'meteo_ray'")

    monkeypatch.setattr(node_probe, "problems_here", lacking)
    monkeypatch.setattr(cluster, "_this_node", lambda: "another machine")
    with pytest.raises(UsageError, match=r"is this very meteo_ray installed there.*No module named 'meteo_ray'"):
        require_on_every_node(Needs("1", (), ()), "CPU")
