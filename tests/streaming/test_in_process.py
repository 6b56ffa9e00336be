"""Rows that need no workers: the order, the batches and the rows left out are those of the stream with workers."""

import numpy as np
import pyarrow as pa
import pytest

from meteo_ray.streaming.in_process import stream_in_process
from meteo_ray.streaming.stream import stream
from meteo_ray.training.row_source import row_source
from tests.training.line_task import LineTask


def _even(batch):
    return {**batch, "double": 2 * batch["x"], "ok": batch["x"] % 3 != 0}


ROWS = pa.table({"x": np.arange(20)})


@pytest.mark.parametrize("drop_failed", [True, False])
def test_it_gives_what_the_stream_with_workers_gives(ray_session, drop_failed):
    here = list(stream_in_process(ROWS, _even, 6, drop_failed=drop_failed))
    there = list(stream(ROWS, _even, 6, workers=1, drop_failed=drop_failed))
    assert len(here) == len(there) == 4
    for one, other in zip(here, there, strict=True):
        assert set(one) == set(other)
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_task_says_who_prepares_its_rows():
    class InProcess(LineTask):
        prepares_in_process = True

    assert row_source(InProcess()).func is stream_in_process
    assert row_source(LineTask(), workers=3).func is stream
    assert row_source(LineTask(), workers=3).keywords["workers"] == 3
