"""Settings of those who vote beside a stage's network."""

from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from meteo_ray.config.parsing import Section


class VoterSettings(Section):
    """Part of the settings of a stage that trees on descriptors and what is written may help."""

    network_voters: ClassVar[tuple[str, ...]] = ()
    """What the voices of the stage's network are called."""

    descriptors: bool | None = None
    """Let boosted trees on hand-made descriptors (colour, edges, texture, gradients) vote beside the network; 2 ms an
    image on a CPU core. Default: where the network starts from random weights, or from a model that has trees, which
    learn on where they answer the same questions."""
    further_trees: int = Field(default=200, ge=0)
    """How many trees of each question learn on, where there are earlier ones; 0 keeps those as they are, and
    none are fitted to other questions."""
    text: bool | None = None
    """Let what is written on the images vote: their title and their other words. Default: where it has been read, see
    jobs/read_text.py."""
    voter_weights: dict[str, Annotated[float, Field(ge=0)]] | None = None
    """How much each voter counts (the gate's network, the elements' parallel and sequence, trees, words, names; 1 where
    not named) instead of what validation says, which on drawings trusts those too much who know the drawing program
    best. Empty, or null in a --config file: as validation says."""

    @field_validator("voter_weights")
    @classmethod
    def _known(cls, weights: dict[str, float] | None) -> dict[str, float] | None:
        voters = (*cls.network_voters, "trees", "words", "names")
        unknown = sorted(set(weights or {}) - set(voters))
        if unknown:
            raise ValueError(f"no voter is called {', '.join(unknown)}; there are {', '.join(voters)}")
        return weights
