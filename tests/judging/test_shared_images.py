"""Images that go to a device once, however many predictors look at them."""

import numpy as np
import pytest
import torch

from meteo_ray.judging import shared_images
from meteo_ray.judging.shared_images import SharedImages, copied_to

CPU = torch.device("cpu")


@pytest.fixture
def images() -> np.ndarray:
    found = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), dtype=np.uint8)
    found.flags.writeable = False  # as Ray gives them
    return found


@pytest.mark.parametrize("rows", [slice(2, 5), slice(0, 7), [0, 3, 6], [4], slice(6, 9)])
def test_rows_are_those_of_the_array(images: np.ndarray, rows: slice | list[int]) -> None:
    chosen = SharedImages(images)[rows]
    assert (chosen.shape, len(chosen), chosen.dtype) == (images[rows].shape, len(images[rows]), np.uint8)
    np.testing.assert_array_equal(copied_to(chosen, CPU).numpy(), images[rows])
    np.testing.assert_array_equal(np.asarray(chosen), images[rows])


def test_rows_of_rows_are_those_of_the_whole(images: np.ndarray) -> None:
    chosen = SharedImages(images)[[1, 2, 5, 6]][1:3]
    np.testing.assert_array_equal(chosen.on(CPU).numpy(), images[[2, 5]])


def test_they_are_copied_once_and_not_before_somebody_asks(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []

    def counted(copied: np.ndarray, device: torch.device) -> torch.Tensor:
        copies.append(len(copied))
        return torch.from_numpy(copied.copy())

    monkeypatch.setattr(shared_images, "copied_to", counted)
    whole = SharedImages(images)
    assert copies == []
    for rows in (slice(0, 7), [0, 3], slice(1, 4)):
        whole[rows].on(CPU)
    assert copies == [7]


def test_where_not_all_find_room_those_asked_for_may(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(copied: np.ndarray, device: torch.device) -> torch.Tensor:
        if len(copied) > 2:
            raise torch.OutOfMemoryError
        return torch.from_numpy(copied.copy())

    monkeypatch.setattr(shared_images, "copied_to", small)
    with pytest.raises(torch.OutOfMemoryError):
        SharedImages(images).on(CPU)
    np.testing.assert_array_equal(SharedImages(images)[3:5].on(CPU).numpy(), images[3:5])


@pytest.mark.filterwarnings("error")
def test_a_cpu_reads_the_array_itself(images: np.ndarray) -> None:
    assert copied_to(images, CPU).data_ptr() == images.ctypes.data
