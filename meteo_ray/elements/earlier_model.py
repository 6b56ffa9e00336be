"""An element model that goes on from another one: decoder and heads too, where they answer the same questions."""

from meteo_ray import bundle
from meteo_ray.backbones import initial_tensors
from meteo_ray.elements.model import ElementsModel
from meteo_ray.files import read_json
from meteo_ray.vocabulary import Vocabulary

STAGE = "elements"

# What each head consists of: the decoder reads images in the space that the projection learnt with it.
HEADS = (("projection.", "decoder."), ("parallel_head.",))


def take_heads(model: ElementsModel, init: str, vocabulary: Vocabulary) -> bool:
    """Copy the heads of the bundle that `init` names into `model`; returns whether any was taken.

    A head is taken where `init` is an element bundle's folder, or the weights in it, with the same labels in the same
    order, and where all of the head has the same shape. So a model with a pooled parallel head that goes on with
    queries keeps its sequence head and learns the queries anew. The encoder has its own way (`backbones.resnet`).
    """
    folder = bundle.folder_named(init)
    if not (folder / bundle.CONFIG).is_file() or not (folder / bundle.WEIGHTS).is_file():
        return False
    config = read_json(folder / bundle.CONFIG)
    if config.get("stage") != STAGE or config.get("labels") != list(vocabulary.element_ids):
        return False
    known, taken = initial_tensors(model.dimensions.backbone, init), {}
    for head in HEADS:
        wanted = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(head)}
        if all(name in known and known[name].shape == tensor.shape for name, tensor in wanted.items()):
            taken.update({name: known[name] for name in wanted})
    model.load_state_dict(taken, strict=False)
    return bool(taken)
