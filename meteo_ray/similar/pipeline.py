"""The Ray Data graph that encodes an archive's charts.

rows of the manifest -> read (the archive's CPU pool) -> retrieval model (one actor a device) -> driver
"""

from collections.abc import Generator

import pyarrow as pa
import ray

from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.pipeline import (
    ACTOR_CPUS,
    RAY_GIVES_UP,
    chunks,
    cluster_plan,
    guard_graphs,
    pool,
    what_ended,
)
from meteo_ray.archive.cascade.read_images import ReadImages
from meteo_ray.archive.cascade.shared_tables import shared_tables
from meteo_ray.archive.config import Reading
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.errors import MachineFault
from meteo_ray.similar.encode_charts import EncodeCharts


class Encoding:
    """The graph, and what its actors share."""

    def __init__(self, source: LocalSource | RemoteSource, model: Model, reading: Reading, block_rows: int) -> None:
        self._source, self._model, self._block_rows = source, model, block_rows
        self._limits, self._plan = reading.limits(), cluster_plan(reading.workers, judging=1, text=False)
        self._claims, self._suspects = shared_tables()
        guard_graphs(block_rows)

    def encode(self, listed: pa.Table) -> Generator[pa.Table, None, None]:
        """Rows of the manifest whose status is empty -> tables with the schema CODED, in any order.

        Of files with equal bytes one is encoded; the others come back with the status TWIN.

        Raises:
            MachineFault: when Ray can go on no further.
        """
        pieces = chunks(listed, self._plan.readers, self._block_rows)
        rows = ray.data.from_blocks(pieces).map_batches(
            ReadImages,
            fn_constructor_args=(self._source, self._limits, self._claims, self._suspects, self._block_rows, False),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=self._plan.reader_cpus,
            compute=pool(min(self._plan.readers, len(pieces))),
        )
        rows = rows.map_batches(
            EncodeCharts,
            fn_constructor_args=(self._model, self._plan.threads, self._suspects),
            batch_size=self._block_rows,
            num_cpus=ACTOR_CPUS,
            num_gpus=self._plan.judge_gpus,
            compute=pool(self._plan.judges),
        )
        try:
            yield from rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
        except RAY_GIVES_UP as error:
            raise MachineFault(
                f"Ray stopped: {what_ended(error)}; committed codes are kept: run the same command again"
            ) from error
