"""Sequences of augmentations, made of functions (`compose`) or from a description (`make`)."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from regjax import catalog
from regjax.augment.batched import Examples
from regjax.augment.registry import AUGMENTATIONS
from regjax.core.checks import check_choice, check_range
from regjax.core.errors import InputError
from regjax.core.parse import parse_sum
from regjax.core.rng import stream
from regjax.core.typing import Array, ArrayLike, Batch, PRNGKey

T = TypeVar("T")


class AugmentationStep(NamedTuple):
    """One augmentation of a sequence.

    Attributes:
      name: of `AUGMENTATIONS`.
      magnitude: in the unit of the augmentation.
      options: further arguments `((name, value), ...)`, as `(("probability", 0.5),)`.
    """

    name: str
    magnitude: float
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        """The step as it appears in a description."""
        if not self.options:
            return f"{self.name}={self.magnitude!r}"
        options = ", ".join(f"{name}={value!r}" for name, value in self.options)
        return f"{self.name}({self.magnitude!r}, {options})"


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """A sequence of augmentations with their magnitudes; frozen and hashable, so it can be static.

    The magnitudes are constants of the compiled program; `strength` multiplies all of them and may be traced. Each
    step draws from a stream named after it, so removing one does not change the draws of the others.

    A run augments pixels as they were read, standardizes the batch, and then applies the steps whose `Kind` is
    `standardized` (noise, cutout and what is for tables): noise is in standard deviations, and what is covered becomes
    the mean. That order keeps images in a quarter of the memory and costs no time
    (`experiments/records/augmentation_order.json`).

    Attributes:
      steps: `AugmentationStep`s or tuples `(name, magnitude)`, in order of application.
    """

    steps: tuple[AugmentationStep, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(AugmentationStep(*step) for step in self.steps))
        seen: set[str] = set()
        for name, magnitude, options in self.steps:
            check_choice("augmentation", name, AUGMENTATIONS)
            if name in seen:
                raise InputError(f"augmentation {name!r} is given twice")
            seen.add(name)
            kind, method = AUGMENTATIONS[name], catalog.AUGMENTATIONS[name]
            if not 0.0 <= magnitude <= method.high or math.isinf(magnitude):
                upper = f" and <= {method.high:g}" if method.high < math.inf else ""
                raise InputError(f"augmentation {name}={magnitude:g}: {method.unit} must be >= 0{upper}")
            for option, value in options:
                check_choice(f"augmentation {name}: option", option, kind.options)
                _check_option(name, option, value, kind.options[option])

    def check_fits(self, kind: str, dataset: str, shape: tuple[int, ...], dtype: Any = jnp.float32) -> None:
        """Refuse steps that do not accept the examples of a dataset, or whose magnitude or options do not fit them.

        Args:
          kind: `"image"` or `"table"`.
          dataset: its name, for the message.
          shape: of one example, `(H, W, C)` or `(F,)`.
          dtype: of the examples as they were read.

        Raises:
          InputError: names the step, what is wrong and what is accepted.
        """
        unfit, needed = (self.images_only, "images") if kind == "table" else (self.rows_only, "tables")
        if unfit:
            names = ", ".join(map(repr, unfit))
            other = "a table" if kind == "table" else "a set of images"
            fit = "images" if kind == "image" else "rows"
            accepted = ", ".join(name for name, entry in AUGMENTATIONS.items() if entry.takes in (fit, "any"))
            raise InputError(f"augmentation {names} is for {needed}; {dataset} is {other} (accepted: {accepted})")
        key = jax.eval_shape(jax.random.key, 0)
        for step in self.steps:
            example = jax.ShapeDtypeStruct((1, *shape), jnp.float32 if AUGMENTATIONS[step.name].standardized else dtype)
            # Nothing is computed; the function itself refuses concrete numbers and options that do not fit.
            try:
                jax.eval_shape(functools.partial(_applied, step, magnitude=step.magnitude), key, x=example)
            except ValueError as error:
                raise InputError(f"augmentation {error}") from None

    def apply(
        self,
        key: PRNGKey,
        x: Examples,
        strength: ArrayLike = 1.0,
        standardize: Callable[[Array], Array] | None = None,
    ) -> Examples:
        """Augment a batch.

        Args:
          key: one key.
          x: examples `[B, ...]`, or a `Batch` of them; images `[B, H, W, C]` if `images_only` names any step.
          strength: scalar >= 0 that multiplies all magnitudes, but no options; the results are clipped to the largest
            accepted magnitude, as a probability to 1. May be traced. 0 is the identity, bit for bit.
          standardize: from pixels to what the model takes. All steps on pixels come before it, and those on
            standardized inputs after it, both in their order. None applies all steps to `x` in their order.

        Returns:
          Examples like `x`, or like `standardize(x)`.

        Raises:
          ValueError: a concrete `strength` is negative or NaN, or `x` or an option does not fit a step.
        """
        check_range("augmentation: strength", strength, 0.0, high_open=True)
        if isinstance(x, Batch):
            return x._replace(x=self.apply(key, x.x, strength, standardize))
        if standardize is not None:
            later = tuple(step for step in self.steps if AUGMENTATIONS[step.name].standardized)
            sooner = tuple(step for step in self.steps if step not in later)
            x = standardize(Augmentation(sooner).apply(key, x, strength))
            return Augmentation(later).apply(key, x, strength)
        for step in self.steps:
            scaled = jnp.asarray(strength, jnp.float32) * step.magnitude
            x = _applied(step, stream(key, step.name), x, jnp.minimum(scaled, catalog.AUGMENTATIONS[step.name].high))
        return x

    @property
    def images_only(self) -> tuple[str, ...]:
        """Names of the steps that accept only images `[B, H, W, C]`."""
        return tuple(step.name for step in self.steps if AUGMENTATIONS[step.name].takes == "images")

    @property
    def rows_only(self) -> tuple[str, ...]:
        """Names of the steps that accept only rows `[B, F]` of a table."""
        return tuple(step.name for step in self.steps if AUGMENTATIONS[step.name].takes == "rows")

    def __str__(self) -> str:
        """The description that `make` reads."""
        return ",".join(map(str, self.steps))


def _applied(step: AugmentationStep, key: PRNGKey, x: Array, magnitude: ArrayLike) -> Array:
    return AUGMENTATIONS[step.name].apply(key, x, magnitude, **dict(step.options))


def make(description: str) -> Augmentation:
    """Parse a description as `"pad_crop=4,flip=0.5,rand_augment(9, layers=3)"`; an empty one changes nothing.

    Args:
      description: `name=magnitude`, or `name(magnitude, option=value, ...)` with options of the function, as
        `probability`; separated by commas, in order of application. Names and units are those of `AUGMENTATIONS`;
        nothing is evaluated.

    Returns:
      An `Augmentation`.

    Raises:
      InputError: an unknown name or option, a repeated name, or a number out of range.

    Example:
      >>> str(make("shift=1, noise(0.2, probability=0.5)"))
      'shift=1.0,noise(0.2, probability=0.5)'
      >>> make("shfit=1")
      Traceback (most recent call last):
      ...
      regjax.core.errors.InputError: augmentation 'shfit' is not known (did you mean 'shift'?); accepted: ...
    """
    readers = {name: _reader(name) for name in AUGMENTATIONS}
    steps = []
    for text in _split_at_commas(description):
        if "(" in text:
            steps += parse_sum(text, readers, "augmentation")
            continue
        name, _, number = (piece.strip() for piece in text.partition("="))
        check_choice("augmentation", name, AUGMENTATIONS)
        try:
            steps.append(AugmentationStep(name, float(number)))
        except ValueError:
            unit = catalog.AUGMENTATIONS[name].unit
            raise InputError(f"augmentation {text!r}: write {name}=NUMBER ({unit})") from None
    return Augmentation(tuple(steps))


def _split_at_commas(description: str) -> Iterator[str]:
    """The non-empty texts between commas that are outside parentheses."""
    depth, start = 0, 0
    for place, character in enumerate([*description, ","]):
        depth += (character == "(") - (character == ")")
        if character == "," and (depth <= 0 or place == len(description)):
            if text := description[start:place].strip():
                yield text
            start = place + 1


def _reader(name: str) -> Callable[..., AugmentationStep]:
    """A function of a magnitude and options that `parse_sum` can call."""
    options = AUGMENTATIONS[name].options

    def read(magnitude: Any, **chosen: Any) -> AugmentationStep:
        if not isinstance(magnitude, int | float):
            raise ValueError(f"{name}: magnitude must be a number, got {magnitude!r}")
        return AugmentationStep(name, float(magnitude), tuple(chosen.items()))

    kinds = inspect.Parameter
    magnitude = kinds("magnitude", kinds.POSITIONAL_OR_KEYWORD)
    named = [kinds(option, kinds.KEYWORD_ONLY, default=default) for option, default in options.items()]
    read.__signature__ = inspect.Signature([magnitude, *named])  # type: ignore[attr-defined]
    return read


def _check_option(name: str, option: str, value: Any, default: Any) -> None:
    """Refuse an option of another type than its default, and a probability out of range.

    The augmentation itself checks everything else.
    """
    same = isinstance(value, int | float) if isinstance(default, float) else isinstance(value, type(default) | int)
    if not same or (isinstance(value, int) and isinstance(default, str)):
        raise InputError(f"augmentation {name}: {option} must be like {default!r}, got {value!r}")
    if option == "probability":
        try:
            check_range(f"augmentation {name}: probability", value, 0.0, 1.0)
        except ValueError as error:
            raise InputError(str(error)) from None


def compose(*functions: Callable[[PRNGKey, T], T]) -> Callable[[PRNGKey, T], T]:
    """Compose functions, which are applied in order, each with a key of its own.

    Args:
      *functions: each `(key, x) -> x` on arrays, or `(key, batch) -> batch` (as `mixup`).

    Returns:
      A function `(key, x) -> x`, which calls function number i with `fold_in(key, i)`.

    Example:
      >>> from regjax.augment import gaussian_noise, shift
      >>> augment = compose(lambda key, x: shift(key, x, 1), lambda key, x: gaussian_noise(key, x, 0.2))
      >>> augment(jax.random.key(0), jnp.zeros((2, 8, 8, 1))).shape
      (2, 8, 8, 1)
    """

    def composed(key: PRNGKey, x: T) -> T:
        for i, function in enumerate(functions):
            x = function(jax.random.fold_in(key, i), x)
        return x

    return composed
