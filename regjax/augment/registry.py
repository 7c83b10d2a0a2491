"""The registry of augmentations, by the names that descriptions and flags use."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from regjax.augment.color import brightness, contrast, hue, saturation
from regjax.augment.filters import blur, sharpness
from regjax.augment.geometry import flip, pad_crop, rotate, scale, shear, shift
from regjax.augment.pixels import cutout, gaussian_noise, random_erasing
from regjax.augment.policies import aug_mix, rand_augment, trivial_augment
from regjax.augment.tables import feature_dropout, row_cutout
from regjax.augment.tone import autocontrast, equalize, posterize, solarize
from regjax.augment.warps import affine, elastic
from regjax.core.typing import Array


@dataclasses.dataclass(frozen=True)
class Kind:
    """An entry of the registry.

    Attributes:
      apply: `(key, x, magnitude, ...) -> x`, the identity at magnitude 0.
      typical: a strong magnitude that is still in use.
      takes: `"images"`, `"rows"` of a table, or `"any"` examples.
      standardized: whether runs apply it to standardized inputs, where 0 is the mean, and not to pixels.
      per_side: whether the magnitude is in pixels and `typical` is a fraction of the side of the image.
    """

    apply: Callable[..., Array]
    typical: float
    takes: str = "images"
    standardized: bool = False
    per_side: bool = False

    @property
    def images(self) -> bool:
        """Whether it accepts only images."""
        return self.takes == "images"

    @property
    def options(self) -> dict[str, Any]:
        """Further arguments that a description may contain, as `probability`, with their defaults."""
        return {p.name: p.default for p in list(inspect.signature(self.apply).parameters.values())[3:]}


AUGMENTATIONS: dict[str, Kind] = {
    "shift": Kind(shift, 0.25, per_side=True),
    "pad_crop": Kind(pad_crop, 0.125, per_side=True),
    "flip": Kind(flip, 0.5),
    "rotate": Kind(rotate, 45.0),
    "shear": Kind(shear, 0.5),
    "scale": Kind(scale, 0.5),
    "affine": Kind(affine, 1.0),
    "elastic": Kind(elastic, 0.03, per_side=True),
    "brightness": Kind(brightness, 0.6),
    "contrast": Kind(contrast, 0.8),
    "saturation": Kind(saturation, 0.9),
    "hue": Kind(hue, 0.3),
    "posterize": Kind(posterize, 6.0),
    "solarize": Kind(solarize, 0.8),
    "equalize": Kind(equalize, 1.0),
    "autocontrast": Kind(autocontrast, 1.0),
    "sharpness": Kind(sharpness, 0.9),
    "blur": Kind(blur, 1.5),
    "noise": Kind(gaussian_noise, 0.6, takes="any", standardized=True),
    "cutout": Kind(cutout, 0.5, standardized=True, per_side=True),
    "random_erasing": Kind(random_erasing, 0.4, standardized=True),
    "rand_augment": Kind(rand_augment, 9.0),
    "trivial_augment": Kind(trivial_augment, 10.0),
    "aug_mix": Kind(aug_mix, 6.0),
    "row_cutout": Kind(row_cutout, 0.3, takes="rows", standardized=True),
    "feature_dropout": Kind(feature_dropout, 0.3, takes="rows", standardized=True),
}
