"""Self-attention over the places of a feature map that fades with their distance (explicit spatial decay).

As in the paper on fine-grained retrieval that this room follows, after Fan et al. 2024 (RMT, section 3.2):

    D_nm = decay ^ (|x_n - x_m| + |y_n - y_m|)
    ESD(X) = (softmax(Q K^T) * D) V
    out = ESD(X) + Conv(V)
"""

from functools import lru_cache

import torch
from torch import Tensor, nn

# Width of the depthwise convolution beside the attention, as RMT's local context enhancement.
LOCAL_CONTEXT = 5


def decay_matrix(height: int, width: int, decay: float) -> Tensor:
    """`D`, float32 `(height * width, height * width)`, places in the order of `flatten`.

    A sum in the exponent is a product of powers, so it is the Kronecker product of the same matrix of each axis.
    """
    return torch.kron(axis_decay(height, decay), axis_decay(width, decay))


def axis_decay(length: int, decay: float) -> Tensor:
    """`decay ^ |i - j|` along one axis, float32 `(length, length)`."""
    places = torch.arange(length)
    return decay ** (places[:, None] - places[None, :]).abs().to(torch.float32)


@lru_cache(maxsize=16)
def _on_device(height: int, width: int, decay: float, device: torch.device) -> Tensor:
    # Whoever asks first may be judging; a tensor made in inference mode is no good for training afterwards.
    with torch.inference_mode(False):
        return decay_matrix(height, width, decay).to(device)


class DecayAttention(nn.Module):
    """A feature map `(batch, channels, height, width)` -> the same with `size` channels, float32.

    Args:
        decay: in (0, 1]; 1 is attention without decay.
        convolution: whether Conv(V) is added.
    """

    def __init__(self, channels: int, size: int, decay: float, convolution: bool = True) -> None:
        super().__init__()
        self.decay, self.scale = decay, size**-0.5
        self.query, self.key, self.value = (nn.Linear(channels, size) for _ in range(3))
        self.convolution = (
            nn.Conv2d(size, size, LOCAL_CONTEXT, padding=LOCAL_CONTEXT // 2, groups=size) if convolution else None
        )

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[2:]
        places = features.flatten(2).transpose(1, 2)
        query, key, value = self.query(places), self.key(places), self.value(places)
        weights = torch.softmax((query @ key.transpose(1, 2)).float() * self.scale, dim=2)
        if self.decay < 1:
            weights = weights * _on_device(height, width, self.decay, weights.device)
        found = weights.to(value.dtype) @ value
        attended = found.transpose(1, 2).unflatten(2, (height, width))
        if self.convolution is not None:
            attended = attended + self.convolution(value.transpose(1, 2).unflatten(2, (height, width)))
        return attended.float()
