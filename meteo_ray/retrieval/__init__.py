"""Similar charts: a network that gives every chart a short binary code, near for charts of one kind.

model, decay_attention             the network: one global and several local branches
pairwise, discrete_codes           learnt against codes of the database that are solved for between the epochs
pointwise                          the rival: learnt against one fixed code for each class
codes                              bits in bytes, and their distances
examples/                          products from a few example charts each
"""
