"""Settings of jobs/index_archive.py and jobs/search_archive.py."""

from pathlib import Path

from pydantic import Field, PositiveInt

from meteo_ray.archive.config import Reading
from meteo_ray.config.parsing import JobConfig


class IndexJob(JobConfig):
    """Give every chart of a classified archive a code, and make them searchable."""

    models: Path
    """The folder of model bundles, of which `retrieval` is used (or METEO_RAY_MODELS)."""
    classified: Path
    """What jobs/classify_archive.py wrote: its --out. Codes go to its `similar/`."""
    archive: str | Path | None = None
    """The archive itself. Default: where it stood when it was classified."""
    retry_errors: bool = False
    """Read charts again whose file could not be read, or had changed, when its code was wanted."""
    overwrite: bool = False
    """Remove codes that stand there and start anew, with another model for example. A `to_label.csv` that was changed
    stays."""
    to_label: int = Field(0, ge=0)
    """Also write `similar/to_label.csv`: that many charts that are unlike each other, none of them nearly equal to
    another, to be labelled."""
    block_rows: PositiveInt = 64
    """Charts of a block, and of a call of the model."""
    part_rows: PositiveInt = 4096
    """Charts at hand whose codes are committed together."""
    reading: Reading = Reading()


class SearchJob(JobConfig):
    """Find the charts of an archive that are most like an image."""

    index: Path
    """What jobs/index_archive.py was given as --classified, or the `similar/` that it filled there."""
    image: Path
    """An image, or a folder of them."""
    out: Path
    """Folder for search.html and search.json."""
    models: Path | None = None
    """The folder of model bundles (or METEO_RAY_MODELS), with the retrieval model that made the index."""
    archive: str | Path | None = None
    """The archive, whose pictures the page shows. Default: where it stood when it was indexed."""
    top: PositiveInt = 20
    """How many charts to show for every image."""
    product: str | None = None
    """Only charts that were taken for this product, by its id."""
    reading: Reading = Reading()
