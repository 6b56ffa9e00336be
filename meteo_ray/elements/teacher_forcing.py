"""How long the decoder is fed the true labels instead of its own (R23)."""


def teacher_forcing(fraction: float, start: float = 1.0, end: float = 0.7) -> float:
    """Probability of feeding the true label when `fraction` of the training is done: linear from start to end."""
    return max(end, start - (start - end) * fraction)
