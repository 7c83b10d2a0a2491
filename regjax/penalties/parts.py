"""Terms taken apart on one array, and the proximal map of their sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from regjax.core.dtypes import widened
from regjax.core.typing import Array, ArrayLike
from regjax.penalties import prox as _prox


class Parts(NamedTuple):
    """A term on one array, taken apart: `l1 sum |w| + l2 sum (w - center)^2 + rest`; None where there is none."""

    l1: Any = None
    l2: Any = None
    center: Any = None  # None is 0
    rest: Callable[[Array, Any], Array] | None = None  # (w, stepsize) -> proximal map of what is left
    adds_to_l1: bool = False  # whether prox(l1 + rest) = prox(rest) after prox(l1), as for groups


def prox_of_sum(terms: Sequence[Any], w: Any, stepsize: Any, step: ArrayLike, name: str) -> Array:
    """The proximal map of a sum of terms on one array: quadratic parts are folded into the point and the step."""
    w = jnp.asarray(w)
    parts = [term.parts(term.strength_at(step, name), name) for term in terms]
    rests = [(term, part) for term, part in zip(terms, parts, strict=True) if part.rest is not None]
    l1s = [part.l1 for part in parts if part.l1 is not None]
    if len(rests) > 1 or (rests and l1s and not rests[0][1].adds_to_l1):
        kinds = " + ".join(term.kind for term in terms)
        raise ValueError(f"prox: the sum {kinds} on {name} has no closed form; put the terms on different leaves")
    if rests and not rests[0][0].elementwise and np.ndim(stepsize):
        raise ValueError(
            f"prox: {rests[0][0].kind} needs one step for the whole of {name}, got {np.shape(stepsize)} steps; "
            "use an optimizer whose step is a scalar, as sgd or momentum"
        )
    z, t = widened(w), stepsize
    quadratic = [part for part in parts if part.l2 is not None]
    for part in quadratic:
        z = z if part.center is None else z + 2 * t * part.l2 * part.center
    if l1s:
        z = _prox.soft_threshold(z, t * sum(l1s[1:], start=l1s[0]))
    if quadratic:
        # argmin (z - w)^2 / 2t + b (z - c)^2 + f(z) is the map of f at (w + 2tbc) / (1 + 2tb) with step t / (1 + 2tb);
        # soft-thresholding commutes with that division, so one is enough.
        shrink = 1 / (1 + 2 * t * sum((part.l2 for part in quadratic[1:]), start=quadratic[0].l2))
        z, t = z * shrink, t * shrink
    for _, part in rests:
        z = part.rest(z, t)
    return jnp.where(jnp.asarray(stepsize) == 0, w, z.astype(w.dtype))
