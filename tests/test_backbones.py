"""The shared ResNets: sizes, where weights come from, and what is said when they do not fit."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from torchvision.models import resnet18
from torchvision.transforms.functional import normalize, to_tensor

from meteo_ray.backbones import IMAGENET_MEAN, IMAGENET_STD, resnet, resolve_init, to_float
from meteo_ray.bundle import WEIGHTS
from meteo_ray.errors import UsageError


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty folder in place of torch's own cache."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.mark.parametrize(("name", "features"), [("resnet18", 512), ("resnet50", 2048)])
def test_pooled_features_have_the_published_width(name, features):
    model = resnet(name).eval()
    assert model.output_features == features
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 60, 80)).shape == (2, features)


def test_to_float_normalises_as_torchvision_does():
    images = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 3), dtype=np.uint8)
    expected = torch.stack([normalize(to_tensor(image), IMAGENET_MEAN, IMAGENET_STD) for image in images])
    found = to_float(torch.from_numpy(images))
    torch.testing.assert_close(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_to_float_reduces_by_the_mean_over_the_area():
    images = torch.randint(0, 256, (1, 8, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    means = F.avg_pool2d(to_float(images), 2)
    torch.testing.assert_close(to_float(images, (8, 4)), means, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_from_a_file_give_the_published_networks_features(tmp_path, suffix):
    published = resnet18(weights=None)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(published.state_dict(), path)
    else:
        save_file(published.state_dict(), path)
    published.fc = torch.nn.Identity()
    images = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for source in (path, tmp_path):
            torch.testing.assert_close(resnet("resnet18", str(source)).eval()(images), published.eval()(images))


def test_imagenet_weights_come_from_the_local_cache_only(hub):
    with pytest.raises(UsageError, match=r"resnet18-f37072fd\.pth"):
        resnet("resnet18", "imagenet")
    assert resolve_init("resnet18", "auto") == "none"
    weights = resnet18(weights=None).state_dict()
    torch.save(weights, hub / "resnet18-f37072fd.pth")
    assert resolve_init("resnet18", "auto") == "imagenet"
    loaded = resnet("resnet18", "auto").state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in loaded)


def test_a_pickle_payload_is_refused_and_not_run(tmp_path):
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return (marker.touch, ())

    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(UsageError, match="cannot read the weights"):
        resnet("resnet18", str(path))
    assert not marker.exists()


def test_other_networks_and_damaged_files_are_named(tmp_path):
    other = tmp_path / "other.safetensors"
    save_file(resnet("resnet50").state_dict(), other)
    with pytest.raises(UsageError, match=r"holds a resnet50, where a resnet18 is wanted.*backbone resnet50"):
        resnet("resnet18", str(other))
    save_file(resnet("resnet18").state_dict(), other)
    with pytest.raises(UsageError, match="holds a resnet18, where a resnet50 is wanted"):
        resnet("resnet50", str(other))
    save_file({"layer1.0.conv1.weight": torch.zeros(1)}, other)
    with pytest.raises(UsageError, match="not the weights of this ResNet"):
        resnet("resnet18", str(other))
    other.write_bytes(b"garbage")
    with pytest.raises(UsageError, match="cannot read the weights"):
        resnet("resnet18", str(other))
    with pytest.raises(UsageError, match="no such file or folder"):
        resnet("resnet18", str(tmp_path / "absent.pth"))
    (tmp_path / "second.pth").touch()
    with pytest.raises(UsageError, match=r"other\.safetensors, second\.pth"):
        resnet("resnet18", str(tmp_path))
    with pytest.raises(UsageError, match="known: resnet18, resnet50"):
        resnet("resnet34")


def test_the_models_folder_given_for_one_of_its_models_is_pointed_out(tmp_path):
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / WEIGHTS).touch()
    (tmp_path / "runs").mkdir()
    with pytest.raises(UsageError, match=rf"did you mean {tmp_path}/gate\?"):
        resnet("resnet18", str(tmp_path))
