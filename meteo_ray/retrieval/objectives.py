"""What training minimises, pairwise or pointwise, behind one interface."""

from typing import Protocol

import torch
from torch import Tensor

from meteo_ray.batch import Batch
from meteo_ray.retrieval.config import RetrievalTraining
from meteo_ray.retrieval.discrete_codes import first_codes, solved_codes
from meteo_ray.retrieval.model import RetrievalModel
from meteo_ray.retrieval.pairwise import pairwise_loss, similarity, unlike_target
from meteo_ray.retrieval.pointwise import class_codes, pointwise_loss
from meteo_ray.retrieval.relevance import Classes
from meteo_ray.training.task import Share


def _alone(own: Batch) -> Batch:
    return own


class Objective(Protocol):
    """A loss over the training charts, whose classes it knows."""

    def database(self) -> Tensor | None:
        """The codes to begin with, int8 `(rows, bits)`, where there are some to be solved for."""
        ...

    def losses(self, model: RetrievalModel, outputs: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """The loss's terms for each row of a batch, `(batch,)`, by name; their sum is the loss.

        `outputs` `(batch, bits)` float32, `rows` int64 `(batch,)` among the training charts.
        """
        ...

    def after_epoch(self, model: RetrievalModel, share: Share = _alone) -> None:
        """What there is to do between two epochs, with what `losses` has seen since the last time in all workers."""
        ...


class Pairwise:
    """Against the codes of all training charts, which `after_epoch` solves for anew (`discrete_codes`)."""

    def __init__(self, config: RetrievalTraining, classes: Classes, seed: int) -> None:
        self._config, self._seed = config, seed
        self._classes = torch.from_numpy(classes).to(torch.float32)
        self._unlike = unlike_target(self._classes, config.dissimilar == "balanced")
        self._seen: dict[str, list[Tensor]] = {"rows": [], "outputs": []}

    def database(self) -> Tensor:
        return first_codes(self._classes, self._config.bits, self._seed)

    def losses(self, model: RetrievalModel, outputs: Tensor, rows: Tensor) -> dict[str, Tensor]:
        assert model.database is not None
        outputs = torch.tanh(outputs)
        self._seen["rows"].append(rows.detach())
        self._seen["outputs"].append(outputs.detach())
        classes = self._on(outputs.device)
        # The queries of a step and its database have no chart in common.
        others = torch.ones(len(classes), dtype=torch.bool, device=outputs.device)
        others[rows] = False
        codes = model.database.to(outputs.dtype)
        target = similarity(classes[rows], classes[others], self._unlike)
        config = self._config
        pairs, own = pairwise_loss(outputs, codes[rows], codes[others], target, config.pair_weight, config.code_weight)
        return {"pairs": pairs, "codes": own}

    def after_epoch(self, model: RetrievalModel, share: Share = _alone) -> None:
        assert model.database is not None
        seen = share(self._take_seen(model.database.shape[1]))
        rows, outputs = (torch.from_numpy(seen[name]) for name in ("rows", "outputs"))
        if not len(rows):
            return
        # A row counts once, with its latest outputs: memory that ran out may have had it computed twice.
        latest = {int(row): place for place, row in enumerate(rows.tolist())}
        kept = torch.tensor(list(latest.values()), device=rows.device)
        config, device = self._config, model.database.device
        solved = solved_codes(
            model.database,
            outputs[kept].to(device),
            rows[kept].to(device),
            self._on(device),
            self._unlike,
            config.pair_weight,
            config.code_weight,
        )
        model.database.copy_(solved)

    def _take_seen(self, bits: int) -> Batch:
        """`rows` `(seen,)` and `outputs` `(seen, bits)`."""
        rows, outputs = self._seen["rows"], self._seen["outputs"]
        self._seen = {"rows": [], "outputs": []}
        none = (torch.zeros(0, dtype=torch.int64), torch.zeros(0, bits))
        found = (torch.cat(rows), torch.cat(outputs)) if rows else none
        return dict(zip(("rows", "outputs"), (tensor.cpu().numpy() for tensor in found), strict=True))

    def _on(self, device: torch.device) -> Tensor:
        if self._classes.device != device:
            self._classes = self._classes.to(device)
        return self._classes


class Pointwise:
    """Against one fixed code for each class; nothing is solved for."""

    def __init__(self, config: RetrievalTraining, classes: Classes, seed: int) -> None:
        self._config = config
        self._classes = torch.from_numpy(classes).to(torch.float32)
        self._codes = class_codes(classes.shape[1], config.bits, seed)

    def database(self) -> None:
        return None

    def losses(self, model: RetrievalModel, outputs: Tensor, rows: Tensor) -> dict[str, Tensor]:
        if self._codes.device != outputs.device:
            self._codes, self._classes = self._codes.to(outputs.device), self._classes.to(outputs.device)
        config = self._config
        return {"classes": pointwise_loss(outputs, self._codes, self._classes[rows], config.margin, config.scale)}

    def after_epoch(self, model: RetrievalModel, share: Share = _alone) -> None:
        return


def objective(config: RetrievalTraining, classes: Classes, seed: int) -> Objective:
    """The one that `config.loss` names."""
    return (Pairwise if config.loss == "pairwise" else Pointwise)(config, classes, seed)
