"""A job reaches the cluster that it was submitted to, or one of its own; never somebody else's."""

from types import SimpleNamespace
from typing import Any

import pytest

from meteo_ray import cluster
from meteo_ray.errors import MachineFault


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What ray.init is called with; nothing is started, and the environment is not touched."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster.ray, "init", lambda **options: given.update(options))
    monkeypatch.setattr(cluster, "os", SimpleNamespace(environ={}))
    return given


def test_without_a_cluster_of_its_own_a_job_starts_a_private_one(started: dict[str, Any]) -> None:
    """`address="local"` is what keeps Ray from attaching to one that happens to run on this host."""
    cluster.connect()
    assert started["address"] == "local"
    assert started["num_cpus"] >= 2
    assert started["include_dashboard"] is False
    assert len(cluster.os.environ["RAY_AUTH_TOKEN"]) == 64


@pytest.mark.parametrize("joins", [False, True])
def test_a_ray_that_does_not_answer_is_told_in_one_line(
    started: dict[str, Any], monkeypatch: pytest.MonkeyPatch, joins: bool
) -> None:
    def too_late(**options: Any) -> None:
        raise Exception("The current node timed out\nduring startup.")

    monkeypatch.setattr(cluster.ray, "init", too_late)
    if joins:
        cluster.os.environ.update(RAY_ADDRESS="10.0.0.1:6379")
    expected = "RAY_ADDRESS names it" if joins else "busy, or short of memory"
    with pytest.raises(MachineFault, match=rf"{expected}.*timed out during startup") as told:
        cluster.connect()
    assert "\n" not in str(told.value)


def test_a_submitted_job_joins_its_cluster_with_its_token(started: dict[str, Any]) -> None:
    cluster.os.environ.update(RAY_ADDRESS="10.0.0.1:6379", RAY_AUTH_TOKEN="ours")
    cluster.connect()
    assert not {"address", "num_cpus"} & set(started)
    assert cluster.os.environ["RAY_AUTH_TOKEN"] == "ours"
