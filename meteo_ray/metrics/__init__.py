"""How good a model is, in numbers and plots; knows arrays and tables, no model and no Ray (R14, R26, R36).

Conventions of this room: a row is called positive when `score >= threshold`; a metric that the data leave undefined (no
positive row, one class only, nothing at all) is None, never 0 and never NaN; scores that are not finite are a defect
upstream and raise ValueError.
"""
