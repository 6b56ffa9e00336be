"""Settings of those who vote beside a stage's network."""

from pydantic import Field

from meteo_ray.config.parsing import Section


class VoterSettings(Section):
    """Part of the settings of a stage that trees on descriptors and what is written may help."""

    descriptors: bool | None = None
    """Let boosted trees on hand-made descriptors (colour, edges, texture, gradients) vote beside the network; 2 ms an
    image on a CPU core. Default: where the network starts from random weights, or from a model that has trees, which
    then learn on."""
    further_trees: int = Field(default=200, ge=0)
    """How many trees of each question learn on, where there are earlier ones; 0 keeps those as they are, and
    none are fitted to other questions."""
    text: bool | None = None
    """Let what is written on the images vote: their title and their other words. Default: where it has been read, see
    jobs/read_text.py."""
