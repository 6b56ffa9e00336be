"""Who makes batches of a task's rows: data workers through Ray Data, or the training process itself."""

from functools import partial

from meteo_ray.streaming.in_process import stream_in_process
from meteo_ray.streaming.stream import stream
from meteo_ray.training.task import Task
from meteo_ray.training.training_rows import Stream


def row_source(task: Task, workers: int | None = None, waiting_blocks: int = 0, drop_failed: bool = True) -> Stream:
    """How the loop gets batches of `task`'s rows; the arguments are those of `streaming.stream.stream`."""
    if task.prepares_in_process:
        return partial(stream_in_process, drop_failed=drop_failed)
    return partial(stream, workers=workers, waiting_blocks=waiting_blocks, drop_failed=drop_failed)
