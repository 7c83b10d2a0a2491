"""Layouts, which say which axes of a kernel are inputs, outputs, or a stack of several kernels.

| kernel | shape | layout |
|---|---|---|
| Flax and Keras, dense and convolution | `[in, out]`, `[height, width, in, out]` | `"...io"`, the default |
| Equinox and torch, linear and convolution | `[out, in]`, `[out, in, height, width]` | `"oi..."` |
| layers under `nn.scan` or `vmap` | `[layers, in, out]` | `"bio"` |
| query, key, value of Flax's attention, by unit | `[in, heads, features]` | `"ioo"` |
| the same, by head | | `"ioi"` |
| output of Flax's attention | `[heads, features, out]` | `"iio"`, which the default is as well |
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

# Letters, or pairs `(pattern for leaf names, letters)`.
Layout = str | tuple[tuple[str, str], ...]
Axis = int | tuple[int, ...] | str
DEFAULT_LAYOUT = "...io"
SIDES = ("out", "in")


class Axes(NamedTuple):
    """The axes of an array by their role."""

    batch: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def check_layout(caller: str, layout: Layout | Mapping[str, str]) -> Layout:
    """Check a layout and make it hashable.

    Args:
      caller: name of the caller, for messages.
      layout: one letter for each axis: `b` for a stack of kernels, `i` for inputs, `o` for outputs; `...` stands for
        any number of further inputs. Or a mapping from patterns to such letters: the first pattern that is found in
        the name of a leaf counts, other leaves have the default.

    Raises:
      ValueError: any other layout.

    Example:
      >>> check_layout("group_lasso", {"qkv": "ioo"})
      (('qkv', 'ioo'),)
    """
    if isinstance(layout, Mapping):
        layout = tuple(layout.items())
    for letters in [layout] if isinstance(layout, str) else [letters for _, letters in layout]:
        plain = str(letters).replace("...", "", 1)
        if set(plain) - set("bio") or "o" not in plain or "i" not in str(letters).replace("...", "i"):
            raise ValueError(
                f"{caller}: layout must have one letter an axis, b (stack), i (input) or o (output), with at least one "
                f"i and one o, and ... for further inputs, as '...io', 'oi...' or 'bio'; got {letters!r}"
            )
    if not isinstance(layout, str):
        for pattern, _ in layout:
            re.compile(pattern)
    return layout


def check_axis(caller: str, axis: Axis, layout: Layout) -> Axis:
    """Check an axis, which is an integer, a tuple of integers, or a side of the layout.

    Raises:
      ValueError: not an integer, a tuple of integers, `"out"` or `"in"`; an integer beside a layout.
    """
    if isinstance(axis, str):
        if axis not in SIDES:
            raise ValueError(f"{caller}: axis must be 'out', 'in', an integer or a tuple of integers, got {axis!r}")
        return axis
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    if any(isinstance(a, bool) or not isinstance(a, int | np.integer) for a in axes):
        raise ValueError(f"{caller}: axis must be 'out', 'in', an integer or a tuple of integers, got {axis!r}")
    if len(set(axes)) < len(axes):
        raise ValueError(f"{caller}: axis names one twice, got {axis!r}")
    if layout != DEFAULT_LAYOUT:
        raise ValueError(f"{caller}: with layout={layout!r}, axis is 'out' or 'in', got {axis!r}")
    return tuple(int(a) for a in axes) if isinstance(axis, tuple | list) else int(axis)


def axes_of(caller: str, layout: Layout, shape: tuple[int, ...], name: str) -> Axes:
    """The axes of one array.

    Raises:
      ValueError: the rank of the array does not match the layout.

    Example:
      >>> axes_of("nuclear", "b...io", (3, 5, 5, 2, 4), "kernel")
      Axes(batch=(0,), inputs=(1, 2, 3), outputs=(4,))
    """
    letters = letters_of(layout, name)
    if "..." in letters:
        letters = letters.replace("...", "i" * (len(shape) - len(letters) + 3))
    if len(letters) != len(shape) or len(shape) < 2:
        raise ValueError(
            f"{caller}: layout {letters_of(layout, name)!r} does not fit {name} {shape}; name the leaves by where=, or "
            "give a layout for each as {pattern: letters}"
        )
    batch, inputs, outputs = (tuple(i for i, each in enumerate(letters) if each == role) for role in "bio")
    return Axes(batch, inputs, outputs)


def letters_of(layout: Layout, name: str) -> str:
    """The letters for the leaf `name`."""
    if isinstance(layout, str):
        return layout
    return next((letters for pattern, letters in layout if re.search(pattern, name)), DEFAULT_LAYOUT)


def numbering(caller: str, axis: Axis, layout: Layout, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    """The axes that index the units (or groups) of an array.

    Raises:
      ValueError: the array has no such axis, or the layout does not match.
    """
    if isinstance(axis, str):
        axes = axes_of(caller, layout, shape, name)
        return tuple(sorted(axes.batch + (axes.outputs if axis == "out" else axes.inputs)))
    given = axis if isinstance(axis, tuple) else (axis,)
    for a in given:
        if not -len(shape) <= a < len(shape):
            raise ValueError(f"{caller}: axis must be in [{-len(shape)}, {len(shape)}) for {name} {shape}, got {a}")
    return tuple(sorted(a % len(shape) for a in given))


def within(caller: str, axis: Axis, layout: Layout, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    """The axes along which the entries of one unit (or group) lie."""
    unit_axes = numbering(caller, axis, layout, shape, name)
    return tuple(a for a in range(len(shape)) if a not in unit_axes)


def units_text(caller: str, axis: Axis, layout: Layout, shape: tuple[int, ...], name: str) -> str:
    """How many units an array has and which axes index them, as text for plans."""
    unit_axes = numbering(caller, axis, layout, shape, name)
    if not unit_axes:
        return "1 unit"
    label = "axis" if len(unit_axes) == 1 else "axes"
    return f"{math.prod(shape[a] for a in unit_axes):,} units on {label} {', '.join(map(str, unit_axes))}"


def doubt(axis: Axis, layout: Layout, shape: tuple[int, ...], name: str) -> str:
    """Why the default layout may be wrong for an array; empty if the layout is given explicitly, or certain.

    A kernel of rank 3 or 5 may be a stack, a convolution or attention; so may one of rank 4, unless its name contains
    `conv`. A leaf called `weight` is from Equinox or torch.
    """
    if not isinstance(axis, str) or letters_of(layout, name) != DEFAULT_LAYOUT or _is_named(layout, name):
        return ""
    if name.rsplit("/", 1)[-1] == "weight":
        return "called weight: Equinox and torch store [out, in], which layout='oi...' says"
    if len(shape) == 2 or (len(shape) == 4 and "conv" in name.lower()):
        return ""
    return f"rank {len(shape)}: say by layout= which axes are units"


def _is_named(layout: Layout, name: str) -> bool:
    """Whether a layout names this leaf, if only to give it the default."""
    return not isinstance(layout, str) and any(re.search(pattern, name) for pattern, _ in layout)
