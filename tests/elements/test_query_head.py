"""The query head: its formulas in float64 numpy, what its queries see, and that a model with it goes the whole way."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from meteo_ray import bundle
from meteo_ray.elements.calibration import of_network
from meteo_ray.elements.earlier_model import take_heads
from meteo_ray.elements.encoder import Features
from meteo_ray.elements.model import ElementsDimensions, ElementsModel, PooledHead
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.elements.query_head import QueryHead
from meteo_ray.elements.task import ElementsTask
from meteo_ray.errors import UsageError
from meteo_ray.files import write_json
from meteo_ray.schema import TRAIN
from tests.elements.conftest import SMALL, as_batch, colour_vocabulary, seal

LABELS, CHANNELS, WIDTH = 3, 5, 16
QUERY = ElementsDimensions(4, "resnet18", (64, 48), joint=16, embedding=12, hidden=10, parallel_head="query")


@pytest.fixture
def head() -> QueryHead:
    torch.manual_seed(0)
    return QueryHead(CHANNELS, LABELS, WIDTH).double().eval()


def features_of(feature_map: torch.Tensor) -> Features:
    return Features(feature_map, feature_map.mean(dim=(2, 3)))


def random_map(seed: int, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, CHANNELS, 2, 3, generator=generator, dtype=torch.float64)


def layer_norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)


def reference(head: QueryHead, feature_map: np.ndarray) -> np.ndarray:
    """One image `(channels, height, width)` -> logits `(labels,)`, label by label and attention head by head."""
    weights = {name: tensor.detach().numpy() for name, tensor in head.state_dict().items()}
    tokens = [np.maximum(weights["tokens.weight"] @ place + weights["tokens.bias"], 0) for place in places(feature_map)]
    logits = []
    for label, query in enumerate(weights["queries"]):
        seen = layer_norm(query + attended(weights, query, np.array(tokens)))
        inner = np.maximum(weights["feed_forward.0.weight"] @ seen + weights["feed_forward.0.bias"], 0)
        answer = layer_norm(seen + weights["feed_forward.3.weight"] @ inner + weights["feed_forward.3.bias"])
        logits.append(weights["output.weight"][label] @ answer + weights["output.bias"][label])
    return np.array(logits)


def places(feature_map: np.ndarray) -> list[np.ndarray]:
    return [feature_map[:, row, column] for row in range(2) for column in range(3)]


def attended(weights: dict[str, np.ndarray], query: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    matrices = np.split(weights["attention.in_proj_weight"], 3)
    biases = np.split(weights["attention.in_proj_bias"], 3)
    q, k, v = (x @ matrix.T + bias for x, matrix, bias in zip((query, tokens, tokens), matrices, biases, strict=True))
    parts = []
    for start in range(0, WIDTH, WIDTH // 8):
        part = slice(start, start + WIDTH // 8)
        scores = np.exp(k[:, part] @ q[part] / np.sqrt(WIDTH // 8))
        parts.append(scores / scores.sum() @ v[:, part])
    return weights["attention.out_proj.weight"] @ np.concatenate(parts) + weights["attention.out_proj.bias"]


def test_it_is_attention_over_the_places_and_one_output_a_query(head):
    images = random_map(1)
    found = head(features_of(images)).detach().numpy()
    expected = [reference(head, image) for image in images.numpy()]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_places_have_no_order_and_queries_do_not_see_each_other(head):
    images = random_map(2)
    before = head(features_of(images))
    torch.testing.assert_close(head(features_of(images.flip(2, 3))), before)
    with torch.no_grad():
        head.queries[1] += 1.0
    after = head(features_of(images))
    assert ((before != after).any(dim=0) == torch.tensor([False, True, False])).all()


def test_a_width_that_8_does_not_divide_has_fewer_attention_heads():
    assert QueryHead(CHANNELS, LABELS, 12).attention.num_heads == 4
    assert QueryHead(CHANNELS, LABELS, 7).attention.num_heads == 1


def test_it_learns_what_stands_at_one_place_only():
    """Label l is there where some place is like pattern l; every map has the same mean, so pooling tells nothing."""
    torch.manual_seed(0)
    head, patterns = QueryHead(CHANNELS, LABELS, WIDTH), 3 * torch.randn(LABELS, CHANNELS)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2)
    for _ in range(40):
        feature_map, shown = hidden_patterns(patterns, 64)
        loss = F.binary_cross_entropy_with_logits(head(features_of(feature_map)), shown)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    feature_map, shown = hidden_patterns(patterns, 256)
    assert feature_map.mean(dim=(2, 3)).abs().max() < 1e-5
    found = head.eval()(features_of(feature_map)) > 0
    assert (found == shown.bool()).float().mean() > 0.95


def hidden_patterns(patterns: torch.Tensor, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps `(batch, channels, 2, 3)` of mean 0 and what they show `(batch, labels)`, each pattern at its own place."""
    shown = torch.rand(batch, LABELS).round()
    spots = (shown[:, :, None] * patterns).transpose(1, 2)
    feature_map = torch.cat([spots, -spots.mean(dim=2, keepdim=True).expand(-1, -1, 3)], dim=2)
    return feature_map.reshape(batch, CHANNELS, 2, 3), shown


def test_heads_compute_in_float32_under_autocast_and_their_gradients_reach_the_encoder():
    torch.manual_seed(0)
    model = ElementsModel(QUERY, checkpointing=True)
    images = torch.randint(0, 256, (2, 48, 64, 3), dtype=torch.uint8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.encoder(images).feature_map.dtype == torch.bfloat16
        encoded = model.encode(images)
    assert encoded.parallel.dtype == torch.float32
    encoded.parallel.sum().backward()
    assert model.encoder.backbone.conv1.weight.grad.abs().max() > 0
    assert model.parallel_head.queries.grad.abs().max() > 0


def test_compilation_finds_one_graph():
    torch.manual_seed(0)
    model = ElementsModel(QUERY, checkpointing=True).eval()
    images = torch.randint(0, 256, (2, 48, 64, 3), dtype=torch.uint8)
    compiled = torch.compile(model.encode, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images).parallel, model.encode(images).parallel)


@pytest.fixture(scope="module")
def exported(colours, tmp_path_factory) -> SimpleNamespace:
    """An untrained model with queries, exported; its outputs on the training pictures."""
    task = ElementsTask(SMALL.model_copy(update={"parallel_head": "query"}), colours.data, colour_vocabulary())
    rows = task.rows(colours.index, TRAIN)
    prepared = task.prepare(TRAIN, 0)(as_batch(rows))
    torch.manual_seed(0)
    model = task.build().eval()
    folder = tmp_path_factory.mktemp("models") / "elements"
    with torch.inference_mode(), bundle.writing(folder) as scratch:
        outputs = task.outputs(model, task.collate(prepared))
        task.export(model, outputs, scratch)
    return SimpleNamespace(prepared=prepared, outputs=outputs, bundle=folder)


def test_a_bundle_brings_its_queries(exported):
    predictor = ElementsPredictor.load(exported.bundle, "cpu", colour_vocabulary(), precision="fp32")
    assert isinstance(predictor.model.parallel_head, QueryHead)
    votes = of_network(exported.outputs["parallel"], exported.outputs["emitted"])
    found = predictor(exported.prepared)
    np.testing.assert_allclose(found["element_scores"], predictor.verdict.image.scores(votes), atol=1e-4)


def test_an_8_bit_encoder_hands_out_its_feature_map(exported):
    images = torch.from_numpy(np.array(exported.prepared["image"]))
    options = {"quantize": "int8", "sample_images": exported.prepared["image"]}
    small = ElementsPredictor.load(exported.bundle, "cpu", **options).model
    with torch.inference_mode():
        assert small.encoder(images).feature_map.shape == (18, 512, 2, 2)
        found = small.encode(images).parallel.numpy()
    differences = [logits - logits.mean(axis=0) for logits in (found, exported.outputs["parallel"])]
    assert 0.98 < np.corrcoef(*map(np.ravel, differences))[0, 1] < 1


def write_head(folder, name: str | None) -> None:
    config = json.loads((folder / bundle.CONFIG).read_text())
    config["dimensions"].pop("parallel_head", None)
    if name:
        config["dimensions"]["parallel_head"] = name
    write_json(folder / bundle.CONFIG, config)
    seal(folder)


def test_a_bundle_that_names_no_head_has_the_pooled_one(copied):
    write_head(copied, None)
    assert isinstance(ElementsPredictor.load(copied, "cpu").model.parallel_head, PooledHead)
    write_head(copied, "unheard-of")
    with pytest.raises(UsageError, match=r"not an element model.*unheard-of"):
        ElementsPredictor.load(copied, "cpu")


def test_a_model_with_queries_goes_on_with_a_pooled_ones_sequence_head(trained):
    before = ElementsPredictor.load(trained.bundle, "cpu").model.state_dict()
    torch.manual_seed(1)
    dimensions = ElementsDimensions(4, "resnet18", (64, 48), 128, 128, 128, parallel_head="query")
    model = ElementsModel(dimensions)
    queries = model.parallel_head.queries.detach().clone()
    assert take_heads(model, str(trained.bundle), colour_vocabulary())
    for name, tensor in model.state_dict().items():
        if name.startswith(("projection.", "decoder.")):
            torch.testing.assert_close(tensor, before[name])
    torch.testing.assert_close(model.parallel_head.queries, queries)


def test_a_wider_decoder_leaves_the_pooled_head_its_weights(trained):
    model = ElementsModel(ElementsDimensions(4, "resnet18", (64, 48), 128, 128, hidden=64))
    decoder = model.decoder.label_matrix.weight.detach().clone()
    assert take_heads(model, str(trained.bundle), colour_vocabulary())
    before = ElementsPredictor.load(trained.bundle, "cpu").model
    torch.testing.assert_close(model.parallel_head.weight, before.parallel_head.weight)
    torch.testing.assert_close(model.decoder.label_matrix.weight, decoder)
