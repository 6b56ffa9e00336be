"""Weights on disk are the previous ones or the new ones, whole."""

from pathlib import Path
from typing import Any

import pytest
import torch

from meteo_ray.errors import UsageError
from meteo_ray.training import checkpoint


def test_a_write_that_breaks_off_leaves_the_previous_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save_model(tmp_path, {"weight": torch.ones(4)})
    save_file = checkpoint.save_file

    def broken_off(tensors: dict[str, torch.Tensor], path: Path, **options: Any) -> None:
        save_file(tensors, path, **options)
        Path(path).write_bytes(Path(path).read_bytes()[:-8])
        raise KeyboardInterrupt

    with monkeypatch.context() as kill:
        kill.setattr(checkpoint, "save_file", broken_off)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save_model(tmp_path, {"weight": torch.zeros(4)})
    assert torch.equal(checkpoint.load_model(tmp_path)["weight"], torch.ones(4))
    checkpoint.save_model(tmp_path, {"weight": torch.zeros(4)})
    assert torch.equal(checkpoint.load_model(tmp_path)["weight"], torch.zeros(4))
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.MODEL]


def test_a_damaged_checkpoint_is_named_with_what_to_do(tmp_path):
    (tmp_path / checkpoint.MODEL).write_bytes(b"cut")
    with pytest.raises(UsageError, match=r"damaged.*--fresh"):
        checkpoint.load_model(tmp_path)
