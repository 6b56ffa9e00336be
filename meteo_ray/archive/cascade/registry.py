"""What all actors of a run share, in one process beside the driver; light to import, because it starts first."""

from meteo_ray.archive.cascade.suspects import SuspectList
from meteo_ray.archive.reading.claims import ClaimTable


class Registry(ClaimTable, SuspectList):
    """Who brings a content, and which batches are in hand."""

    def __init__(self) -> None:
        ClaimTable.__init__(self)
        SuspectList.__init__(self)
