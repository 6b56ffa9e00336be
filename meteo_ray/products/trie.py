"""Several token sequences as one tree: what they share at the start is stored, computed and decoded once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TokenTrie:
    """The answers' tokens that a model must read to judge them all.

    Slots are places where a next token is predicted: slot 0 is the end of the prompt, slot i + 1 is node i. The last
    token of an answer is predicted but never read, so it is no node.
    """

    tokens: np.ndarray
    """int64 `(nodes,)`, parents before children."""
    parents: np.ndarray
    """int64 `(nodes,)`: the slot that each node follows."""
    steps: list[list[tuple[int, int]]]
    """For every answer its tokens as (slot that predicts it, token)."""

    @property
    def depths(self) -> np.ndarray:
        """int64 `(nodes,)`: 1 for the first token of an answer."""
        depths = np.zeros(len(self.tokens) + 1, dtype=np.int64)
        for node, parent in enumerate(self.parents):
            depths[node + 1] = depths[parent] + 1
        return depths[1:]

    @property
    def ancestors(self) -> np.ndarray:
        """bool `(nodes, nodes)`: row sees column, being itself or on the way from the prompt to it."""
        seen = np.eye(len(self.tokens), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent > 0:
                seen[node] |= seen[parent - 1]
        return seen

    def allowed(self) -> dict[tuple[int, ...], list[int]]:
        """What may follow each beginning of an answer, in the order of the answers."""
        following: dict[tuple[int, ...], list[int]] = {}
        for steps in self.steps:
            beginning: tuple[int, ...] = ()
            for _, token in steps:
                choices = following.setdefault(beginning, [])
                if token not in choices:
                    choices.append(token)
                beginning += (token,)
        return following


def build_trie(answers: Sequence[Sequence[int]]) -> TokenTrie:
    """Raises ValueError on an empty answer: there would be nothing to predict."""
    children: dict[tuple[int, int], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    all_steps = []
    for answer in answers:
        if not len(answer):
            raise ValueError("an answer needs at least one token")
        slot, steps = 0, []
        for place, token in enumerate(answer):
            steps.append((slot, int(token)))
            if place == len(answer) - 1:
                break
            if (slot, token) not in children:
                tokens.append(int(token))
                parents.append(slot)
                children[slot, token] = len(tokens)
            slot = children[slot, token]
        all_steps.append(steps)
    return TokenTrie(np.array(tokens, dtype=np.int64), np.array(parents, dtype=np.int64), all_steps)
