"""Both losses and the solved codes against their formulas in float64."""

from itertools import product

import numpy as np
import pytest
import torch

from meteo_ray.batch import concatenate
from meteo_ray.retrieval.config import RetrievalTraining
from meteo_ray.retrieval.discrete_codes import first_codes, solved_codes
from meteo_ray.retrieval.model import RetrievalDimensions, RetrievalModel
from meteo_ray.retrieval.objectives import Pairwise, objective
from meteo_ray.retrieval.pairwise import pairwise_loss, similarity, unlike_target
from meteo_ray.retrieval.pointwise import class_codes, pointwise_loss


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def signs(seed: int, *shape: int) -> torch.Tensor:
    return torch.where(drawn(seed, *shape) >= 0, 1.0, -1.0).double()


def test_the_pairwise_loss_is_its_formula():
    outputs, own, others = torch.tanh(drawn(0, 3, 6)), signs(1, 3, 6), signs(2, 5, 6)
    target = signs(3, 3, 5)
    pairs, codes = pairwise_loss(outputs, own, others, target, alpha=0.6, beta=30.0)
    for row in range(3):
        inner = outputs[row].numpy() @ others.numpy().T
        expected = 0.6 * ((inner - 6 * target[row].numpy()) ** 2).sum() / 30
        assert pairs[row].item() == pytest.approx(expected)
        assert codes[row].item() == pytest.approx(30.0 * ((own[row] - outputs[row]) ** 2).sum().item() / 30)


def test_charts_are_alike_when_they_share_a_class():
    classes = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 0]])
    expected = torch.tensor([[1.0, 1, -1, -1], [1, 1, -1, 1], [-1, -1, 1, -1], [-1, 1, -1, 1]])
    assert torch.equal(similarity(classes, classes, -1.0), expected)
    # 8 like pairs and 8 unlike ones: balanced is the same as opposite there.
    assert unlike_target(classes, balanced=True) == -1.0
    assert unlike_target(torch.eye(4), balanced=True) == pytest.approx(-4 / 12)
    assert unlike_target(torch.eye(4), balanced=False) == -1.0


def whole_loss(codes, outputs, rows, target, alpha, beta) -> float:
    """As it stands in `discrete_codes`, with target `(drawn, rows)`."""
    bits = codes.shape[1]
    pairs = ((outputs @ codes.T - bits * target) ** 2).sum()
    return float(alpha * pairs + beta * ((codes[rows] - outputs) ** 2).sum())


@pytest.mark.parametrize("seed", range(5))
def test_solving_for_the_codes_never_raises_the_loss_and_each_bit_is_the_best(seed):
    classes = torch.nn.functional.one_hot(torch.arange(8) % 3).double()
    rows, outputs = torch.tensor([0, 3, 4, 6]), torch.tanh(drawn(seed, 4, 6))
    target = similarity(classes[rows], classes, -0.5)
    codes = signs(seed + 10, 8, 6)
    before = whole_loss(codes, outputs, rows, target, 0.6, 2.0)
    solved = solved_codes(codes.to(torch.int8), outputs, rows, classes, -0.5, 0.6, 2.0)
    assert solved.dtype == torch.int8
    after = whole_loss(solved.double(), outputs, rows, target, 0.6, 2.0)
    assert after <= before
    # Solved to the end, no single bit of any chart can be turned to advantage.
    settled = solved_codes(codes.to(torch.int8), outputs, rows, classes, -0.5, 0.6, 2.0, passes=20)
    least = whole_loss(settled.double(), outputs, rows, target, 0.6, 2.0)
    for row, bit in product(range(8), range(6)):
        turned = settled.double().clone()
        turned[row, bit] *= -1
        assert whole_loss(turned, outputs, rows, target, 0.6, 2.0) >= least - 1e-9


def test_charts_alike_start_with_equal_codes():
    classes = torch.nn.functional.one_hot(torch.arange(40) % 4).float()
    codes = first_codes(classes, 24, seed=0)
    assert set(codes.unique().tolist()) == {-1, 1}
    assert all(torch.equal(codes[row], codes[row % 4]) for row in range(40))
    assert len(codes.unique(dim=0)) == 4


def test_the_pointwise_loss_is_its_formula():
    outputs, codes = drawn(0, 2, 6), signs(1, 3, 6)
    classes = torch.tensor([[1.0, 0, 0], [0, 1, 1]]).double()
    found = pointwise_loss(outputs, codes, classes, margin=0.2, scale=8.0)
    for row in range(2):
        o, t = outputs[row].numpy(), codes.numpy()
        cosines = t @ o / np.linalg.norm(o) / np.linalg.norm(t, axis=1)
        logits = 8.0 * (cosines - 0.2 * classes[row].numpy())
        log_shares = logits - np.log(np.exp(logits).sum())
        expected = -(classes[row].numpy() / classes[row].sum().item() * log_shares).sum()
        assert found[row].item() == pytest.approx(expected)


@pytest.mark.parametrize(("classes", "bits"), [(10, 16), (43, 48), (200, 12)])
def test_classes_have_codes_far_apart(classes, bits):
    codes = class_codes(classes, bits, seed=0)
    assert codes.shape == (classes, bits)
    assert set(codes.unique().tolist()) == {-1.0, 1.0}
    distances = (bits - codes @ codes.T) / 2
    apart = distances[~torch.eye(classes, dtype=torch.bool)]
    assert apart.mean() == pytest.approx(bits / 2, rel=0.05)
    if bits == 16:
        assert apart.min() == 8


@pytest.mark.parametrize("bits", [6, 7, 12])
def test_no_two_classes_have_one_code_where_there_are_enough(bits):
    classes = min(2**bits, 200)
    codes = class_codes(classes, bits, seed=0)
    assert len(codes.unique(dim=0)) == classes
    assert class_codes(2**bits + 1, bits, seed=0).shape == (2**bits + 1, bits)  # there are not: it ends nevertheless


DIMENSIONS = RetrievalDimensions("resnet18", (64, 48), 12, 3, 8, 0.9, True)
CLASSES = np.eye(3, dtype=bool)[np.arange(9) % 3]


def test_after_an_epoch_the_codes_are_solved_for_with_what_it_saw():
    config = RetrievalTraining(backbone="resnet18", init="none", bits=12)
    pairwise = Pairwise(config, CLASSES, seed=0)
    model = RetrievalModel(DIMENSIONS, database=pairwise.database())
    before = model.database.clone()
    pairwise.after_epoch(model)
    assert torch.equal(model.database, before)  # nothing was seen
    outputs = drawn(0, 9, 12).float()
    pairwise.losses(model, drawn(1, 2, 12).float(), torch.tensor([0, 1]))  # seen again below, which counts
    for part in (slice(0, 4), slice(4, 9)):
        pairwise.losses(model, outputs[part], torch.arange(9)[part])
    pairwise.after_epoch(model)
    classes = torch.from_numpy(CLASSES).float()
    unlike = unlike_target(classes, balanced=True)
    expected = solved_codes(before, torch.tanh(outputs), torch.arange(9), classes, unlike, 0.6, 30.0)
    assert torch.equal(model.database, expected)


def test_codes_are_solved_for_with_what_all_training_workers_saw():
    """Of two workers, each of which has seen a part, both find what one finds that has seen all."""
    config, outputs = RetrievalTraining(backbone="resnet18", init="none", bits=12), drawn(0, 9, 12).float()

    def seen(part: slice) -> tuple[Pairwise, RetrievalModel]:
        pairwise = Pairwise(config, CLASSES, seed=0)
        model = RetrievalModel(DIMENSIONS, database=pairwise.database())
        pairwise.losses(model, outputs[part], torch.arange(9)[part])
        return pairwise, model

    alone, workers = seen(slice(0, 9)), [seen(slice(0, 4)), seen(slice(4, 9))]
    own = [pairwise._take_seen(12) for pairwise, _ in workers]
    alone[0].after_epoch(alone[1])
    for pairwise, model in workers:
        pairwise.after_epoch(model, lambda nothing: concatenate(own))
        assert torch.equal(model.database, alone[1].database)


@pytest.mark.parametrize("loss", ["pairwise", "pointwise"])
def test_each_objective_gives_every_row_a_loss_that_can_be_learnt_from(loss):
    config = RetrievalTraining(backbone="resnet18", init="none", bits=12, loss=loss)
    wanted = objective(config, CLASSES, seed=0)
    model = RetrievalModel(DIMENSIONS, database=wanted.database())
    outputs = drawn(0, 4, 12).float().requires_grad_()
    found = wanted.losses(model, outputs, torch.arange(4))
    total = sum(found.values())
    assert total.shape == (4,)
    total.mean().backward()
    assert outputs.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("bits", "branches", "expected"), [(48, 3, [24, 8, 8, 8]), (32, 3, [17, 5, 5, 5]), (12, 0, [12])]
)
def test_half_of_the_bits_are_the_global_branchs(bits, branches, expected):
    dimensions = RetrievalDimensions("resnet18", (64, 48), bits, branches, 8, 0.9, True)
    assert dimensions.branch_bits() == expected
    encoded = RetrievalModel(dimensions)(torch.zeros(2, 240, 320, 3, dtype=torch.uint8))
    assert encoded.outputs.shape == (2, bits)
    assert encoded.pooled.shape == (2, 512)
