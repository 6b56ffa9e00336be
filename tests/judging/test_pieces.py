"""A batch in pieces: the same answers in the same order, whoever computes them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.judging import pieces
from meteo_ray.judging.pieces import LEAST_ROWS, in_pieces

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, params=[1, 2, 5])
def threads(request: pytest.FixtureRequest):
    """How many threads torch may use here; as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("rows", [0, 1, 3, 8, 17, 64, 100])
@pytest.mark.parametrize("most", [1, 5, 16])
def test_pieces_are_the_whole_in_order(rows: int, most: int) -> None:
    images = np.arange(rows)
    pieces = in_pieces(lambda piece: piece, images, most, CPU)
    assert [number for piece in pieces for number in piece.tolist()] == images.tolist()
    assert all(0 < len(piece) <= most for piece in pieces)


@given(rows=st.integers(1, 300), most=st.integers(1, 40))
def test_no_thread_is_left_without_work_for_long(rows: int, most: int) -> None:
    threads = torch.get_num_threads()
    sizes = in_pieces(len, np.zeros(rows), most, CPU)
    assert len(set(sizes[:-1])) <= 1, "of one size, but for the last"
    if rows >= LEAST_ROWS * threads and most >= LEAST_ROWS:
        assert len(sizes) >= threads or threads == 1


def test_a_network_answers_as_in_one_piece_and_keeps_no_gradients() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(4))
    images = torch.rand(40, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = network(images)
    pieces = in_pieces(network, images, 16, CPU)
    torch.testing.assert_close(torch.cat(pieces), whole)
    assert not any(piece.requires_grad for piece in pieces)


def test_each_piece_has_one_thread_and_the_caller_keeps_its_own(threads: int) -> None:
    seen: list[int] = []
    in_pieces(lambda piece: seen.append(torch.get_num_threads()), np.zeros(64), 16, CPU)
    assert set(seen) == {1}
    assert torch.get_num_threads() == threads
    assert threads_of_a_new_thread() == threads


def test_an_error_of_one_piece_is_the_callers() -> None:
    def refuse(piece: np.ndarray) -> None:
        if 30 in piece:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        in_pieces(refuse, np.arange(64), 16, CPU)


def test_a_thread_that_cannot_start_leaves_none_behind(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for one more would keep the process from ending."""
    if threads == 1:
        pytest.skip("no thread is started")
    start, started = threading.Thread.start, list[threading.Thread]()

    def refuse_the_last(thread: threading.Thread) -> None:
        if len(started) == threads - 1:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    pieces._pool.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", refuse_the_last)
    with pytest.raises(RuntimeError, match="new thread"):
        in_pieces(len, np.zeros(64), 16, CPU)
    monkeypatch.undo()
    for thread in started:
        thread.join(5)
    assert not any(thread.is_alive() for thread in started)
    assert threads_of_a_new_thread() == threads
    assert sum(in_pieces(len, np.zeros(64), 16, CPU)) == 64


def threads_of_a_new_thread() -> int:
    """What torch may use in a thread that has just begun."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


def test_on_a_gpu_pieces_follow_each_other_in_the_callers_thread() -> None:
    """Kernels are queued there anyway; sizes stay those asked for, which a compiled network needs."""
    seen: list[tuple[int, int]] = []
    in_pieces(lambda piece: seen.append((threading.get_ident(), len(piece))), np.zeros(40), 16, torch.device("cuda"))
    assert seen == [(threading.get_ident(), size) for size in (16, 16, 8)]
