"""Beam search for the likeliest label set of every image (R24), batched over images.

A path is a sequence of labels; no label comes twice, so P(l | I, path) is the softmax over <eos> and the labels that
the path does not hold yet. In every step the `width` likeliest extensions of an image's paths survive, ended ones among
them. An image is settled when none of its open paths is as likely as its best ended one: longer paths only get less
likely. A path of `max_labels` labels ends without <eos>.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from meteo_ray.elements.loss import PADDING
from meteo_ray.elements.model import NEVER, LabelDecoder


@dataclass(frozen=True)
class BeamResult:
    """What the search found for a batch of images.

    `sequences` int64 `(batch, width, max_labels)`, likeliest path first, PADDING after a path's end; `log_probs`
    `(batch, width)`, -inf where fewer paths ended; `emitted` `(batch, labels)`: for every label the summed probability
    of all visited paths that emit it. As the events "l comes after prefix p" exclude each other, it is a lower bound of
    the label's marginal probability, and exact when no path was dropped and no image settled early.
    """

    sequences: Tensor
    log_probs: Tensor
    emitted: Tensor

    def best(self) -> list[list[int]]:
        """The labels of every image's likeliest path."""
        return [[label for label in row if label != PADDING] for row in self.sequences[:, 0].tolist()]


@torch.no_grad()
def beam_search(decoder: LabelDecoder, image: Tensor, width: int = 3, max_labels: int = 10) -> BeamResult:
    """Search the label sequences of images `(batch, joint)`; an image's result does not depend on the others'."""
    search = _Search(decoder, image, width, max_labels)
    for step in range(max_labels):
        search.extend(step)
        if search.settle():
            break
    return search.result()


class _Search:
    """The open and the ended paths of every image: `(batch, width, ...)`, dead places at log-probability -inf."""

    def __init__(self, decoder: LabelDecoder, image: Tensor, width: int, max_labels: int) -> None:
        batch, labels = len(image), decoder.labels
        self.decoder, self.width = decoder, width
        self.image = image.repeat_interleave(width, dim=0)
        self.state = decoder.lstm.initial_state(batch * width)
        self.previous = torch.full((batch * width,), decoder.begin, device=image.device)
        wide = torch.promote_types(image.dtype, torch.float32)
        self.log_probs = torch.full((batch, width), NEVER, dtype=wide, device=image.device)
        self.log_probs[:, 0] = 0.0  # all paths start equal: one stands for them
        self.sequences = torch.full((batch, width, max_labels), PADDING, device=image.device)
        self.used = torch.zeros(batch, width, labels + 1, dtype=torch.bool, device=image.device)
        self.ended_log_probs = torch.full_like(self.log_probs, NEVER)
        self.ended_sequences = self.sequences.clone()
        self.emitted = torch.zeros(batch, labels, dtype=wide, device=image.device)

    def extend(self, step: int) -> None:
        """Replace the open paths by their `width` likeliest extensions; those that chose <eos> move to the ended."""
        candidates = self._candidates()
        self.emitted += candidates[..., : self.decoder.labels].exp().sum(dim=1)
        log_probs, chosen = candidates.flatten(1).topk(self.width)
        symbols = chosen % (self.decoder.labels + 1)
        self._keep_parents(chosen // (self.decoder.labels + 1))
        ends = symbols == self.decoder.end
        self._end(torch.where(ends, log_probs, NEVER))
        self.log_probs = torch.where(ends, NEVER, log_probs)
        self.sequences[..., step] = torch.where(ends, PADDING, symbols)
        # A path that ended is dead, so it does not matter that <eos> counts as used there.
        self.used.scatter_(2, symbols.unsqueeze(2), True)
        self.previous = symbols.flatten()

    def settle(self) -> bool:
        """Close the images whose best ended path no open one can beat; True when all are closed."""
        beaten = self.log_probs.amax(dim=1) < self.ended_log_probs.amax(dim=1)
        self.log_probs = self.log_probs.masked_fill(beaten.unsqueeze(1), NEVER)
        return bool(self.log_probs.isneginf().all())

    def result(self) -> BeamResult:
        """All paths; those still open have reached the greatest length."""
        self._end(self.log_probs)
        return BeamResult(self.ended_sequences, self.ended_log_probs, self.emitted.clamp(max=1.0))

    def _candidates(self) -> Tensor:
        """Log-probability of every extension of every open path, `(batch, width, labels + 1)`."""
        logits, self.state = self.decoder.step(self.previous, self.image, self.state)
        logits = logits.to(self.log_probs.dtype).view(self.used.shape)
        # A dead path may have used <eos>, and then all; it needs a number there to stay -inf instead of NaN.
        allowed = logits.masked_fill(self.used & ~self.log_probs.isneginf().unsqueeze(2), NEVER)
        return self.log_probs.unsqueeze(2) + allowed.log_softmax(dim=2)

    def _keep_parents(self, parents: Tensor) -> None:
        """Move what belongs to the parents, int64 `(batch, width)` places in the beam, to their children's places."""
        images = torch.arange(len(parents), device=parents.device).unsqueeze(1)
        self.sequences, self.used = self.sequences[images, parents], self.used[images, parents]
        self.state = self.state.select((images * self.width + parents).flatten())

    def _end(self, log_probs: Tensor) -> None:
        """Enter the current sequences among the ended ones at `log_probs`, and keep the best `width`."""
        all_sequences = torch.cat([self.ended_sequences, self.sequences], dim=1)
        self.ended_log_probs, places = torch.cat([self.ended_log_probs, log_probs], dim=1).topk(self.width)
        images = torch.arange(len(places), device=places.device).unsqueeze(1)
        self.ended_sequences = all_sequences[images, places]
