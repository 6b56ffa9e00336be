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


def test_moments_lie_in_memory_as_their_weights_do(tmp_path):
    """Else the fused step would pair the moments of one weight with another one."""

    def optimizer_after(steps: int, optimizer: torch.optim.Optimizer) -> torch.Tensor:
        (weight,) = optimizer.param_groups[0]["params"]
        for step in range(steps):
            generator = torch.Generator().manual_seed(step)
            weight.grad = torch.randn(weight.shape, generator=generator).to(memory_format=torch.channels_last)
            optimizer.step()
        return weight.detach()

    def made() -> torch.optim.Optimizer:
        drawn = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(9))
        weight = torch.nn.Parameter(drawn.to(memory_format=torch.channels_last))
        return torch.optim.AdamW([weight], lr=0.1, fused=True)

    whole = made()
    before = optimizer_after(2, whole)
    checkpoint.save(tmp_path, {"weight": before}, whole, checkpoint.RunState(), None)
    resumed = made()
    with torch.no_grad():
        resumed.param_groups[0]["params"][0].copy_(before)
    checkpoint.load_optimizer(tmp_path, resumed)
    torch.testing.assert_close(optimizer_after(2, resumed), optimizer_after(2, whole))
