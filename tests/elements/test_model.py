"""The network: what it reads, what scheduled sampling feeds, and that trading memory for time changes nothing."""

import pytest
import torch

from meteo_ray.backbones import resnet, to_float
from meteo_ray.elements.encoder import ImageEncoder
from meteo_ray.elements.loss import PADDING
from meteo_ray.elements.model import ElementsDimensions, ElementsModel, LabelDecoder

SMALL = ElementsDimensions(4, "resnet18", (64, 48), joint=16, embedding=12, hidden=10)


@pytest.fixture
def decoder() -> LabelDecoder:
    torch.manual_seed(0)
    return LabelDecoder(SMALL)


def test_shapes_and_input_of_any_larger_size():
    model = ElementsModel(SMALL).eval()
    images = torch.randint(0, 256, (2, 240, 320, 3), dtype=torch.uint8)
    parallel, sequence = model(images, torch.tensor([[1, 0, 4], [4, PADDING, PADDING]]))
    assert parallel.shape == (2, 4)
    assert sequence.shape == (2, 3, 5)
    assert parallel.dtype == torch.float32


def test_dimensions_survive_json():
    assert ElementsDimensions.from_json(SMALL.to_json()) == SMALL


def test_plan_sizes_are_the_defaults():
    decoder = LabelDecoder(ElementsDimensions(32))
    assert decoder.embedding.weight.shape == (34, 384)
    assert len(decoder.lstm.layers) == 2
    assert decoder.lstm.hidden_size == 384
    assert decoder.from_output.weight.shape == (256, 384)


def test_a_step_reads_the_symbols_before_it_and_none_after(decoder):
    image = torch.randn(1, 16)
    one = decoder(image, torch.tensor([[0, 1, 2, 4]]))
    other = decoder(image, torch.tensor([[0, 1, 3, 4]]))
    torch.testing.assert_close(one[:, :3], other[:, :3])
    assert (one[:, 3] - other[:, 3]).abs().max() > 1e-4


def test_forward_equals_stepping_by_hand(decoder):
    image = torch.randn(2, 16)
    sequences = torch.tensor([[2, 0, 4], [1, 3, 4]])
    whole = decoder(image, sequences)
    state = decoder.lstm.initial_state(2)
    for step, previous in enumerate(([5, 5], [2, 1], [0, 3])):
        logits, state = decoder.step(torch.tensor(previous), image, state)
        torch.testing.assert_close(logits, whole[:, step])


def test_an_unforced_step_reads_the_likeliest_label(decoder):
    image = torch.randn(1, 16)
    truth = torch.tensor([[0, 1, 4]])
    first = decoder(image, truth)[0, 0, :4]
    likeliest, unlikeliest = int(first.argmax()), int(first.argmin())
    truth[0, 0] = unlikeliest
    forced = torch.tensor([[True, False, True]])
    expected = decoder(image, torch.tensor([[likeliest, 1, 4]]))
    torch.testing.assert_close(decoder(image, truth, forced), expected)
    assert (decoder(image, truth) - expected)[0, 1].abs().max() > 1e-5


def test_no_label_is_read_twice(decoder):
    """The network likes label 0 best at first; when that is the true label of the next step, another one is read."""
    image = torch.randn(1, 16)
    likeliest = int(decoder(image, torch.tensor([[0]]))[0, 0, :4].argmax())
    other = (likeliest + 1) % 4
    truth = torch.tensor([[other, likeliest, 4]])
    sampled_then_forced = decoder(image, truth, torch.tensor([[True, False, True]]))
    second = sampled_then_forced[0, 1, :4].masked_fill(torch.arange(4) == likeliest, float("-inf")).argmax()
    expected = decoder(image, torch.tensor([[likeliest, int(second), 4]]))
    torch.testing.assert_close(sampled_then_forced, expected)


def test_the_encoder_hands_out_what_torchvisions_network_pools_and_bears_its_names():
    encoder, network = ImageEncoder("resnet18", "none", (96, 72)).eval(), resnet("resnet18").eval()
    weights = network.state_dict()
    assert list(encoder.state_dict()) == [f"backbone.{name}" for name in weights]
    encoder.load_state_dict({f"backbone.{name}": tensor for name, tensor in weights.items()})
    images = torch.randint(0, 256, (2, 240, 320, 3), dtype=torch.uint8)
    with torch.inference_mode():
        features, expected = encoder(images), network(to_float(images, (96, 72)))
    assert features.feature_map.shape == (2, 512, 3, 3)
    torch.testing.assert_close(features.pooled, expected, rtol=0, atol=0)
    torch.testing.assert_close(features.feature_map.mean(dim=(2, 3)), expected)


def test_checkpointing_changes_neither_gradients_nor_statistics():
    torch.manual_seed(0)
    plain = ImageEncoder("resnet18", "none", (64, 48)).double()
    saving = ImageEncoder("resnet18", "none", (64, 48), checkpointing=True).double()
    saving.load_state_dict(plain.state_dict())
    images = torch.randint(0, 256, (4, 48, 64, 3), dtype=torch.uint8)
    towards = [torch.randn(size, dtype=torch.float64) for size in ((4, 512, 2, 2), (4, 512))]
    for encoder in (plain, saving):
        # Float64 weights beside float32 pixels: the encoder is made for float32, the comparison wants more digits.
        encoder.backbone.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
        encoder.backbone.conv1.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
        sum((part * direction).sum() for part, direction in zip(encoder(images), towards, strict=True)).backward()
    for (name, one), (_, other) in zip(plain.named_parameters(), saving.named_parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-6, atol=1e-9, msg=name)
    for (name, one), (_, other) in zip(plain.named_buffers(), saving.named_buffers(), strict=True):
        if "num_batches" not in name:
            torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-12, msg=name)
    assert all(module.momentum == 0.1 for module in saving.modules() if isinstance(module, torch.nn.BatchNorm2d))
