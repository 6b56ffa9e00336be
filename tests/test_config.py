"""Where a job's values come from, which beats which, and what a user is told about a wrong one."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from meteo_ray.config import JobConfig, Section, parse_config
from meteo_ray.errors import UsageError
from meteo_ray.gate.config import TrainGateJob
from meteo_ray.preparation.config import ReadText
from meteo_ray.products.config import TrainProductsJob


class Inner(Section):
    rate: float = Field(1e-3, gt=0)
    """A learning rate."""
    first_step: float = 1.0
    """A number of two words."""
    size: tuple[int, int] = (320, 240)
    """Width and height."""


class Job(JobConfig):
    data: Path | None = None
    """A folder."""
    count: int = Field(5, gt=0)
    """A number."""
    most_tries: int = 3
    """A number of two words."""
    careful: bool = False
    """A switch."""
    inner: Inner = Inner()
    """A group."""


def write(folder: Path, text: str) -> Path:
    path = folder / "job.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(tmp_path, monkeypatch):
    path = write(tmp_path, "count: 7\ndata: /from/file\ninner: {rate: 1e-2}\n")
    assert parse_config(Job, []).count == 5
    from_file = parse_config(Job, ["--config", str(path)])
    assert (from_file.count, from_file.inner.rate) == (7, 0.01)
    monkeypatch.setenv("METEO_RAY_DATA", "/from/environment")
    assert parse_config(Job, ["--config", str(path)]).data == Path("/from/environment")
    flags = ["--config", str(path), "--data", "/from/flag", "--count", "9", "--careful"]
    parsed = parse_config(Job, flags)
    assert (parsed.data, parsed.count, parsed.careful, parsed.inner.rate) == (Path("/from/flag"), 9, True, 0.01)


def test_a_relative_path_in_the_file_is_relative_to_the_file(tmp_path):
    path = write(tmp_path, "data: charts\n")
    assert parse_config(Job, ["--config", str(path)]).data == tmp_path / "charts"


def test_a_key_of_the_file_may_be_written_like_its_flag(tmp_path):
    path = write(tmp_path, "most-tries: 7\ninner: {first-step: 0.5}\n")
    parsed = parse_config(Job, ["--config", str(path)])
    assert (parsed.most_tries, parsed.inner.first_step) == (7, 0.5)


def test_nested_flags_and_pairs():
    parsed = parse_config(Job, ["--inner.rate", "0.5", "--inner.size", "160,120"])
    assert parsed.inner == Inner(rate=0.5, size=(160, 120))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cuont: 3\n", "cuont: no such setting; did you mean count"),
        ("inner: {raet: 3}\n", "inner.raet: no such setting; did you mean rate"),
        ("count: many\n", "count: .*'many'"),
        ("count: -1\n", "count: .*greater than 0.*-1"),
        ("inner: {rate: -1e-3}\n", "inner.rate: .*greater than 0"),
        ("- count\n", "expected `name: value`"),
        ("count: [\n", "not valid YAML"),
        ("count: !!python/object:os.system 3\n", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, text, expected):
    with pytest.raises(UsageError, match=expected):
        parse_config(Job, ["--config", str(write(tmp_path, text))])


def test_every_problem_is_named_at_once(tmp_path):
    path = write(tmp_path, "cuont: 3\ncount: 0\ninner: {rate: x}\n")
    with pytest.raises(UsageError) as caught:
        parse_config(Job, ["--config", str(path)])
    assert all(name in str(caught.value) for name in ("cuont", "count", "inner.rate"))


def test_an_absent_config_file_and_a_forgotten_name():
    with pytest.raises(UsageError, match=r"absent\.yaml: cannot read"):
        parse_config(Job, ["--config", "absent.yaml"])
    with pytest.raises(UsageError, match="needs a file"):
        parse_config(Job, ["--config"])


def test_an_unknown_flag_is_one_message():
    with pytest.raises(UsageError, match=r"--zzz.*--help lists the flags"):
        parse_config(Job, ["--zzz", "3"])


def test_a_misspelt_flag_is_told_the_one_that_was_meant():
    for wrong in ("--cuont", "--cuont=3"):
        with pytest.raises(UsageError, match=r"--cuont.*; did you mean --count\?$"):
            parse_config(Job, [wrong, "3"])


def test_help_leaves_with_status_0(capsys):
    with pytest.raises(SystemExit) as caught:
        parse_config(Job, ["--help"])
    assert caught.value.code == 0
    assert "A learning rate." in capsys.readouterr().out


@given(
    count=st.integers(1, 10**6),
    rate=st.floats(1e-12, 1e6, allow_nan=False),
    careful=st.booleans(),
    size=st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
)
def test_a_saved_config_reads_back_as_itself(tmp_path_factory, count, rate, careful, size):
    job = Job(count=count, careful=careful, inner=Inner(rate=rate, size=size))
    path = tmp_path_factory.mktemp("config") / "saved.yaml"
    job.save(path)
    assert yaml.safe_load(path.read_text("utf-8"))["count"] == count
    assert parse_config(Job, ["--config", str(path)]).model_dump() == job.model_dump()


def test_a_trial_replaces_single_values_and_is_checked():
    job = Job().with_values(**{"inner.rate": 0.25, "count": 8})
    assert (job.inner.rate, job.count) == (0.25, 8)
    with pytest.raises(KeyError):
        job.with_values(**{"inner.raet": 1.0})
    with pytest.raises(ValueError, match="greater than 0"):
        job.with_values(count=0)


@pytest.mark.parametrize("text", ["160,120", "160x120"])
def test_an_input_size_is_read_with_comma_and_x(text):
    assert parse_config(TrainGateJob, ["--gate.input-size", text]).gate.input_size == (160, 120)


def test_an_input_size_of_another_shape_is_refused():
    with pytest.raises(UsageError, match="100x100 is not 4:3"):
        parse_config(TrainGateJob, ["--gate.input-size", "100x100"])


def test_paths_in_sections_become_absolute_and_names_stay(tmp_path, monkeypatch):
    (tmp_path / "drawn/models/gate").mkdir(parents=True)
    (tmp_path / "elsewhere/imagenet").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    text = "gate: {init: drawn/models/gate, auxiliary: {data: drawn}}\n"
    from_file = parse_config(TrainGateJob, ["--config", str(write(tmp_path, text))])
    flags = ["--gate.init", "../drawn/models/gate", "--gate.auxiliary.data", "../drawn"]
    for gate in (from_file.gate, parse_config(TrainGateJob, flags).gate):
        assert (gate.init, gate.auxiliary.data) == (str(tmp_path / "drawn/models/gate"), tmp_path / "drawn")
    assert parse_config(TrainGateJob, ["--gate.init", "imagenet"]).gate.init == "imagenet"
    assert parse_config(TrainGateJob, ["--gate.init", "not/there"]).gate.init == "not/there"  # named when it is read


def test_one_value_of_a_section_leaves_the_jobs_own_defaults_of_the_others(tmp_path):
    file = write(tmp_path, "training: {patience: 0}\n")
    gate = parse_config(TrainGateJob, ["--training.seed", "1"])
    assert (gate.training.batch_size, gate.training.seed) == (TrainGateJob().training.batch_size, 1)
    products = parse_config(TrainProductsJob, ["--training.seed", "1"])
    assert products.training.micro_batch == TrainProductsJob().training.micro_batch is not None
    from_file = parse_config(TrainGateJob, ["--config", str(file)])
    assert (from_file.training.batch_size, from_file.training.patience) == (TrainGateJob().training.batch_size, 0)
    assert parse_config(ReadText, ["--text.seconds", "5"]).text.mode == "page"
