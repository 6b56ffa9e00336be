"""A training worker as a process of its own: `python -m tests.training.one_of_two_workers FOLDER RANK STEP STORE`.

Two of them train the line task over gloo, without Ray; the one of rank 1 kills itself at that step, if there is one.
"""

import os
import signal
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from meteo_ray.errors import UsageError
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.loop import TrainingRun
from meteo_ray.training.task import Loss, Progress
from tests.training.line_task import FolderHost, LineTask, points, stream

WORKERS = 2

# 41 rows are five batches of eight and one of one, of which the second worker has nothing.
ROWS, VALIDATION_ROWS, BATCH = 41, 17, 8


class PlainLine(LineTask):
    """Without batch statistics, which differ between shares."""

    def __init__(self, dies_at_step: int = -1) -> None:
        super().__init__(epochs=(1, 3))
        self.dies_at_step = dies_at_step

    def build(self) -> nn.Module:
        return nn.ModuleDict({"body": nn.Linear(3, 4), "norm": nn.Identity(), "head": nn.Linear(4, 1)})

    def loss(self, model: nn.Module, batch: dict[str, torch.Tensor], progress: Progress) -> Loss:
        if progress.step == self.dies_at_step:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(model, batch, progress)


class HostOfSeveral(FolderHost):
    """The checkpoint is the first worker's, and whole before any of them goes on."""

    def __init__(self, folder: Path, rank: int) -> None:
        super().__init__(folder)
        self.rank, self.world_size = rank, WORKERS

    def report(self, metrics, write_checkpoint):
        if self.rank == 0:
            super().report(metrics, write_checkpoint)
        dist.barrier()


def settings(**changed: object) -> LoopSettings:
    plain = {"batch_size": BATCH, "precision": "fp32", "patience": 0, "torch_threads": 1, "max_unreadable": 0.1}
    return LoopSettings(**{**plain, **changed})


def main(folder: Path, rank: int, dies_at_step: int, store: str) -> int:
    dist.init_process_group("gloo", init_method=f"file://{folder / store}", rank=rank, world_size=WORKERS)
    host = HostOfSeveral(folder / "checkpoints", rank)
    task = PlainLine(dies_at_step if rank == 1 else -1)
    # The second one computes its share in pieces, as where it alone had run out of memory.
    loop, index = settings(micro_batch=BATCH if rank == 0 else 3), points(0, ROWS, VALIDATION_ROWS)
    run = TrainingRun(task, index, loop, folder, host, stream, torch.device("cpu"))
    try:
        finished = run.fit()
    except UsageError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    if rank == 0:
        torch.save({"outputs": finished.outputs, "row_loss": run.row_loss}, folder / "end.pt")
    dist.barrier()
    dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
