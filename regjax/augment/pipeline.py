"""Augmentations in sequence: of functions (`compose`), or described by a string (`make`)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from regjax.augment.entry import Examples
from regjax.augment.geometry import flip, rotate, shift
from regjax.augment.pixels import cutout, gaussian_noise
from regjax.checks import InputError, check_choice, check_range
from regjax.rng import stream
from regjax.typing import Array, ArrayLike, Batch, PRNGKey

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Kind:
    """One augmentation of the registry.

    Attributes:
      apply: `(key, x, magnitude) -> x`, the identity at magnitude 0.
      unit: what the magnitude is, for error messages and help.
      high: largest magnitude; a product with a strength is clipped there.
      images: whether it takes images only, or any batch `[B, ...]`.
      outside: whether it shows what lies outside the image, and so takes a `fill`.
    """

    apply: Callable[..., Array]
    unit: str
    high: float = math.inf
    images: bool = True
    outside: bool = False


AUGMENTATIONS: dict[str, Kind] = {
    "shift": Kind(shift, "largest shift in pixels", outside=True),
    "rotate": Kind(rotate, "largest angle in degrees", high=180.0, outside=True),
    "flip": Kind(flip, "probability of a horizontal flip", high=1.0),
    "noise": Kind(gaussian_noise, "standard deviation of added noise", images=False),
    "cutout": Kind(cutout, "side of the covered square in pixels"),
}


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """A sequence of augmentations with their magnitudes: frozen and hashable, so it can be static.

    The magnitudes here are constants of the compiled program; `strength` multiplies all of them and may be
    traced. Each step draws from a stream named after it, so removing one leaves the draws of the others.

    Attributes:
      steps: `((name, magnitude), ...)`, in order of application; names are those of `AUGMENTATIONS`.
      fill: what lies outside the image, one number or one a channel. For standardized images with a black
        surround this is what a black pixel became, `Preprocessor.background`; 0 is the mean.
    """

    steps: tuple[tuple[str, float], ...] = ()
    fill: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for name, magnitude in self.steps:
            check_choice("augmentation", name, AUGMENTATIONS)
            if name in seen:
                raise InputError(f"augmentation {name!r} is given twice")
            seen.add(name)
            kind = AUGMENTATIONS[name]
            if not 0.0 <= magnitude <= kind.high or math.isinf(magnitude):
                upper = f" and <= {kind.high:g}" if kind.high < math.inf else ""
                raise InputError(f"augmentation {name}={magnitude:g}: {kind.unit} must be >= 0{upper}")

    def apply(self, key: PRNGKey, x: Examples, strength: ArrayLike = 1.0) -> Examples:
        """Augments a batch.

        Args:
          key: one key.
          x: examples `[B, ...]`, or a `Batch` of them; images `[B, H, W, C]` if `images_only` names any step.
          strength: scalar >= 0 that multiplies every magnitude (a probability is clipped at 1); may be
            traced. 0 is the identity, bit for bit.

        Returns:
          Examples like `x`.

        Raises:
          ValueError: a concrete `strength` is negative or NaN, or `x` does not fit a step.
        """
        check_range("augmentation: strength", strength, 0.0, high_open=True)
        if isinstance(x, Batch):
            return x._replace(x=self.apply(key, x.x, strength))
        for name, magnitude in self.steps:
            kind = AUGMENTATIONS[name]
            scaled = jnp.minimum(jnp.asarray(strength, jnp.float32) * magnitude, kind.high)
            arguments = (scaled, jnp.asarray(self.fill)) if kind.outside else (scaled,)
            x = kind.apply(stream(key, name), x, *arguments)
        return x

    @property
    def images_only(self) -> tuple[str, ...]:
        """Names of the steps that take images `[B, H, W, C]` and no other examples."""
        return tuple(name for name, _ in self.steps if AUGMENTATIONS[name].images)

    def __str__(self) -> str:
        """The description that `make` reads."""
        return ",".join(f"{name}={magnitude!r}" for name, magnitude in self.steps)


def make(description: str) -> Augmentation:
    """Reads a description as `"shift=1,noise=0.2,rotate=15"`; the empty one changes nothing.

    Args:
      description: `name=magnitude`, separated by commas, in order of application. Names and units:
        shift (pixels), rotate (degrees), flip (probability), noise (standard deviation), cutout (pixels).

    Returns:
      An `Augmentation`.

    Raises:
      InputError: a name that does not exist, is given twice, or has no number in its range.

    Example:
      >>> make("shift=1, noise=0.2").steps
      (('shift', 1.0), ('noise', 0.2))
      >>> make("shfit=1")
      Traceback (most recent call last):
      ...
      regjax.checks.InputError: augmentation 'shfit' is not known (did you mean 'shift'?); accepted: ...
    """
    steps = []
    for part in filter(None, (part.strip() for part in description.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        check_choice("augmentation", name, AUGMENTATIONS)
        try:
            magnitude = float(number)
        except ValueError:
            unit = AUGMENTATIONS[name].unit
            raise InputError(f"augmentation {part!r}: write {name}=NUMBER ({unit})") from None
        steps.append((name, magnitude))
    return Augmentation(tuple(steps))


def compose(*functions: Callable[[PRNGKey, T], T]) -> Callable[[PRNGKey, T], T]:
    """Applies functions one after the other, the first one first, each with a key of its own.

    Args:
      *functions: each `(key, x) -> x` on arrays, or `(key, batch) -> batch` (as `mixup`).

    Returns:
      A function `(key, x) -> x`; function number i is given `fold_in(key, i)`.

    Example:
      >>> augment = compose(lambda key, x: shift(key, x, 1), lambda key, x: gaussian_noise(key, x, 0.2))
      >>> augment(jax.random.key(0), jnp.zeros((2, 8, 8, 1))).shape
      (2, 8, 8, 1)
    """

    def composed(key: PRNGKey, x: T) -> T:
        for i, function in enumerate(functions):
            x = function(jax.random.fold_in(key, i), x)
        return x

    return composed
