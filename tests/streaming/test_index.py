"""What stands in the place of a prepared data folder is told by what it is."""

from pathlib import Path

import pytest

from meteo_ray.errors import UsageError
from meteo_ray.streaming.index import read_index


def test_a_folder_that_is_not_there_is_not_called_unprepared(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--data .*nowhere: no such folder"):
        read_index(tmp_path / "nowhere")


def test_a_folder_without_an_index_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"prepare_data\.py --data"):
        read_index(tmp_path)
