"""An element model that goes on from another one: decoder and heads too, where they answer the same questions."""

from pathlib import Path

from meteo_ray import bundle
from meteo_ray.backbones import initial_tensors
from meteo_ray.elements.model import ElementsModel
from meteo_ray.files import read_json
from meteo_ray.vocabulary import Vocabulary

STAGE = "elements"


def take_heads(model: ElementsModel, init: str, vocabulary: Vocabulary) -> bool:
    """Copy everything but the encoder from the bundle that `init` names, into `model`; returns whether it did.

    It does where `init` is an element bundle's folder, or the weights in it, with the same labels in the same order
    and a network of the same shape. The encoder has its own way (`backbones.resnet`).
    """
    folder = Path(init).parent if Path(init).name == bundle.WEIGHTS else Path(init)
    if not (folder / bundle.CONFIG).is_file() or not (folder / bundle.WEIGHTS).is_file():
        return False
    config = read_json(folder / bundle.CONFIG)
    if config.get("stage") != STAGE or config.get("labels") != list(vocabulary.element_ids):
        return False
    known = initial_tensors(model.dimensions.backbone, init)
    wanted = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("encoder.")}
    if any(name not in known or known[name].shape != tensor.shape for name, tensor in wanted.items()):
        return False
    model.load_state_dict({name: known[name] for name in wanted}, strict=False)
    return True
