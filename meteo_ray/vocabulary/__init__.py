"""Which elements and products exist, every spelling that names them, and how the list may grow (R2).

vocabulary.py    elements and products in memory
labels_yaml.py   reading and checking a labels.yaml; labels.yaml is the one that comes with the package
growth.py        which changes a trained model survives
"""

from meteo_ray.vocabulary.labels_yaml import choose_vocabulary, load_vocabulary
from meteo_ray.vocabulary.vocabulary import Element, Product, Vocabulary, element_ids

__all__ = ["Element", "Product", "Vocabulary", "choose_vocabulary", "element_ids", "load_vocabulary"]
