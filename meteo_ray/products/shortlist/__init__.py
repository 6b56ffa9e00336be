"""Which products a chart can be, by a light model: what its elements, its words and its look say, in one formula.

terms.py      elements and words against each product's elements and names: nothing of it is learnt per product
learnt.py     what training charts taught of each product: words, look
formula.py    how much each term counts; "none of these"; probabilities
shortlist.py  the model: fitting, scores, candidates, files
"""

from meteo_ray.products.shortlist.formula import ShortlistSettings
from meteo_ray.products.shortlist.shortlist import SHORTLIST, Evidence, Shortlist

__all__ = ["SHORTLIST", "Evidence", "Shortlist", "ShortlistSettings"]
