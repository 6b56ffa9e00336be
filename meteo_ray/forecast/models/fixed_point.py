"""Fixed points x = F(x) of contractions, and their gradient without the steps that led there (Scarselli et al. 2009).

Forwards, F is applied until the state stands still. Backwards, with e the loss, z = z dF/dx + de/dx is iterated
likewise at the fixed point; z dF/dw is then the gradient. Memory does not grow with the number of steps.
"""

from collections.abc import Callable

import torch
from torch import Tensor

TOLERANCE = 1e-5
"""Largest change of a number from step to step at which a state stands still; states are of the order of one."""


def solve(step: Callable[[Tensor], Tensor], start: Tensor, iterations: int, tolerance: float = TOLERANCE) -> Tensor:
    """x with x = step(x), as near as `tolerance` or `iterations` steps get; no gradient."""
    state = start
    for _ in range(iterations):
        following = step(state)
        moved = float((following - state).abs().max())
        state = following
        if moved < tolerance:
            break
    return state


def fixed_point(
    step: Callable[[Tensor], Tensor], start: Tensor, iterations: int, tolerance: float = TOLERANCE
) -> Tensor:
    """The fixed point of `step`; gradients reach the parameters of `step` by the backward iteration.

    Args:
        step: a contraction of tensors of the shape of `start`.
        start: where to begin; a contraction forgets it.
        iterations: most steps in either direction.
        tolerance: see `solve`.
    """
    with torch.no_grad():
        state = solve(step, start, iterations, tolerance)
    if not torch.is_grad_enabled():
        return state
    reached = step(state)
    if not reached.requires_grad:
        return reached
    at = state.detach().requires_grad_()
    once_more = step(at)

    def through_all_steps(gradient: Tensor) -> Tensor:
        def backwards(z: Tensor) -> Tensor:
            (product,) = torch.autograd.grad(once_more, at, z, retain_graph=True)
            return product + gradient

        return solve(backwards, gradient, iterations, tolerance * float(gradient.abs().max()))

    reached.register_hook(through_all_steps)
    return reached
