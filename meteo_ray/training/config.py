"""What the one training loop can be told; the tasks' own settings stand in their folders' config.py."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from meteo_ray.config.fields import NotInIdentity
from meteo_ray.config.parsing import JobConfig, Section
from meteo_ray.streaming.config import MOST_CACHE_GB

Place = Annotated[Path | None, NotInIdentity()]
"""A file or folder: moving it does not start a run anew; what is in it may."""


class LoopSettings(Section):
    """How to train: everything that does not depend on what is trained."""

    batch_size: int = Field(32, gt=0)
    """Rows behind one optimiser step. Kept when memory is short: the loop then accumulates gradients (R28)."""
    micro_batch: int | None = Field(None, gt=0)
    """Rows on the device at once; default: the whole batch. Halves by itself when memory runs out."""
    patience: int = Field(3, ge=0)
    """Stop after this many epochs of the last phase without gain in the watched metric; 0 never stops."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bfloat16 autocast where the device computes in it, else float32."""
    compile: Annotated[bool, NotInIdentity()] = False
    """torch.compile the network, of the elements its image encoder: pays off on a GPU in runs of more than a few
    minutes."""
    clip_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this L2 norm."""
    weight_decay: float = Field(1e-4, ge=0)
    """AdamW's decoupled weight decay."""
    average_decay: float = Field(0.0, ge=0, lt=1)
    """Judge and keep an exponential moving average of the weights with this decay per step, such as 0.999 (a second
    copy of the model on the device); 0: the weights as they are."""
    max_unreadable: Annotated[float, Field(ge=0, le=1), NotInIdentity()] = 0.01
    """Share of an epoch's training rows, and of the validation rows, that may be unreadable: missing, damaged, or
    changed since they were indexed. They are left out and counted; more of them end the training."""
    memory_share: Annotated[float, Field(gt=0, le=1), NotInIdentity()] = 0.9
    """The micro-batch halves when more of the GPU's memory than this is in use (R28)."""
    data_workers: Annotated[int | None, Field(gt=0), NotInIdentity()] = None
    """CPU workers of a machine that decode and augment, for all of its training workers; default: 70 % of the cores,
    threads of one core counted once (R7 asks for 60-80 %)."""
    torch_threads: Annotated[int | None, Field(gt=0), NotInIdentity()] = None
    """Threads of each training process on a CPU; default: its part of all cores. Fewer may be faster where preparing is
    as much work as learning, with small networks for example; give each its part where several jobs train at once."""
    workers: int = Field(1, gt=0)
    """Training workers; more than one for several GPUs or machines, each takes its share of every batch. Tried with two
    processes on CPUs (gloo); between GPUs (NCCL) not verified yet."""
    use_gpu: Annotated[bool | None, NotInIdentity()] = None
    """Default: when the cluster has one."""
    seed: int = 0
    """Seeds weights, order and augmentation."""


class TrainingJob(JobConfig):
    """What every training job shares."""

    data: Place = None
    """The data folder (or METEO_RAY_DATA), prepared by jobs/prepare_data.py."""
    models: Place = None
    """Where model bundles go (or METEO_RAY_MODELS); runs are kept in its `runs/`."""
    index: Place = None
    """Where the index lies, if not in DATA/index."""
    labels: Place = None
    """The vocabulary (or METEO_RAY_LABELS); default: DATA/labels.yaml, else the one that comes with the package."""
    cache: Place = None
    """Folder for decoded images, shared by epochs, stages, trials and jobs; default: DATA/cache. On a disk of this
    machine."""
    cache_gb: Annotated[float, NotInIdentity()] = Field(MOST_CACHE_GB, ge=0)
    """How many GB (10^9 bytes) of decoded images it may hold, about 0.25 MB each at 320x240; further ones are decoded
    in every epoch."""
    fresh: Annotated[bool, NotInIdentity()] = False
    """Train anew even if this very config and data were already trained, or trained half-way."""
    training: LoopSettings = LoopSettings()
    """The training loop."""


class AuxiliaryImages(Section):
    """Images of another folder that a stage learns from beside its own: drawn ones where real ones are few."""

    data: Annotated[Path | None, NotInIdentity()] = None
    """That folder, prepared by jobs/prepare_data.py; its training split is used, without the images that the own folder
    has too, and without copies of those that validate and test (saved again, resized). Default: none."""
    rows: int = Field(2000, gt=0)
    """How many of its images, chosen at random."""
    weight: float = Field(0.15, gt=0)
    """How much each of them counts beside an own image."""

    @field_validator("data")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """Ray's workers run in folders of their own."""
        return path and path.resolve()
