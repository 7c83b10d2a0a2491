"""The parts of a term from which proximal maps are made, and the proximal map of a sum of terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np

from regjax.core.dtypes import widened
from regjax.core.typing import Array, ArrayLike, Numeric
from regjax.penalties import prox as _prox


class ProxParts(NamedTuple):
    """A term on one array as `l1 sum |w| + l2 sum (w - center)^2 + remainder`; parts that it lacks are None."""

    l1: Numeric = None
    l2: Numeric = None
    center: Numeric = None  # None is 0
    remainder: Callable[[Array, Numeric], Array] | None = None  # its proximal map, `(w, stepsize) -> array`
    adds_to_l1: bool = False  # whether prox(l1 + remainder) is prox(remainder) after prox(l1), as for groups


class HasProx(Protocol):
    """What `prox_of_sum` reads of a term."""

    kind: ClassVar[str]
    elementwise: ClassVar[bool]

    def strength_at(self, step: ArrayLike, name: str) -> Numeric:
        """The strength on the leaf `name` at update `step`."""

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        """The parts of the proximal map on one array."""


def prox_of_sum(terms: Sequence[HasProx], w: ArrayLike, stepsize: Numeric, step: ArrayLike, name: str) -> Array:
    """The proximal map of a sum of terms on one array; quadratic parts are absorbed into the point and the step."""
    w = jnp.asarray(w)
    prox_parts = [term.prox_parts(term.strength_at(step, name), name) for term in terms]
    remainders = [(term, part) for term, part in zip(terms, prox_parts, strict=True) if part.remainder is not None]
    l1_strengths = [part.l1 for part in prox_parts if part.l1 is not None]
    if len(remainders) > 1 or (remainders and l1_strengths and not remainders[0][1].adds_to_l1):
        kinds = " + ".join(term.kind for term in terms)
        raise ValueError(f"prox: the sum {kinds} on {name} has no closed form; put the terms on different leaves")
    if remainders and not remainders[0][0].elementwise and np.ndim(stepsize):
        raise ValueError(
            f"prox: {remainders[0][0].kind} needs one step for the whole of {name}, got {np.shape(stepsize)} steps; "
            "use an optimizer whose step is a scalar, as sgd or momentum"
        )
    z, t = widened(w), stepsize
    quadratics = [part for part in prox_parts if part.l2 is not None]
    for part in quadratics:
        z = z if part.center is None else z + 2 * t * part.l2 * part.center
    if l1_strengths:
        z = _prox.soft_threshold(z, t * sum(l1_strengths[1:], start=l1_strengths[0]))
    if quadratics:
        # argmin (z - w)^2 / 2t + b (z - c)^2 + f(z) is the map of f at (w + 2tbc) / (1 + 2tb) with step t / (1 + 2tb);
        # soft-thresholding commutes with that division, so one is enough.
        shrink = 1 / (1 + 2 * t * sum((part.l2 for part in quadratics[1:]), start=quadratics[0].l2))
        z, t = z * shrink, t * shrink
    for part in prox_parts:
        z = z if part.remainder is None else part.remainder(z, t)
    return jnp.where(jnp.asarray(stepsize) == 0, w, z.astype(w.dtype))
