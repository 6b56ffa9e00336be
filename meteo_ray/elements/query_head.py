"""A parallel head that looks for every label where it stands (ML-Decoder: Ridnik et al. 2021, section 3).

One learnt query q_l for each label reads the feature map, whose places F_1 .. F_n are projected to tokens E:

    E_i = ReLU(W_E F_i)
    a_l = LayerNorm(q_l + MultiHeadAttention(q_l, E, E))
    b_l = LayerNorm(a_l + W_2 ReLU(W_1 a_l))
    logit_l = w_l b_l + c_l

Queries do not attend to each other: what self-attention would make of constant queries can be learnt as the queries
themselves. Labels are few, so each has its own query and none are decoded in groups. As in the authors' code, places
carry no position and every residual branch has dropout.
"""

from math import gcd

import torch
from torch import Tensor, nn

from meteo_ray.elements.encoder import Features

ATTENTION_HEADS = 8
# Vaswani et al. 2017, section 3.3.
FEED_FORWARD_FACTOR = 4
DROPOUT = 0.1


class QueryHead(nn.Module):
    """`Features` -> logits `(batch, labels)`, in the weights' dtype.

    Args:
        channels: of the feature map.
        labels: how many there are.
        width: of tokens and queries; where 8 does not divide it, there are fewer attention heads.
    """

    def __init__(self, channels: int, labels: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Linear(channels, width)
        self.queries = nn.Parameter(torch.randn(labels, width))
        self.attention = nn.MultiheadAttention(width, gcd(width, ATTENTION_HEADS), DROPOUT, batch_first=True)
        self.attention_norm = nn.LayerNorm(width)
        inner = FEED_FORWARD_FACTOR * width
        self.feed_forward = nn.Sequential(
            nn.Linear(width, inner), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(inner, width)
        )
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(DROPOUT)
        self.output = nn.Linear(width, labels)

    def forward(self, features: Features) -> Tensor:
        places = features.feature_map.to(self.queries.dtype).flatten(2).transpose(1, 2)
        tokens = torch.relu(self.tokens(places))
        queries = self.queries.expand(len(places), -1, -1)
        seen, _ = self.attention(queries, tokens, tokens, need_weights=False)
        seen = self.attention_norm(queries + self.dropout(seen))
        answers = self.feed_forward_norm(seen + self.dropout(self.feed_forward(seen)))
        # Row l of the output layer answers query l alone, so this is not the layer's own matrix product.
        return torch.einsum("blw,lw->bl", answers, self.output.weight) + self.output.bias
