"""Which augmentations there are, by the names that descriptions and flags use."""

from __future__ import annotations

import dataclasses
import inspect
import math
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

# What an `Augmentation` says about the pixels, so that no description has to.
ABOUT_PIXELS = ("fill", "low", "high")


@dataclasses.dataclass(frozen=True)
class Kind:
    """One augmentation of the registry.

    Attributes:
      apply: `(key, x, magnitude, ...) -> x`, the identity at magnitude 0.
      unit: what the magnitude is, for error messages and help.
      typical: a magnitude that is strong but still used, for standardized images.
      high: largest magnitude; a product with a strength is clipped there.
      takes: `"images"`, `"rows"` of a table, or `"any"` examples.
      outside: whether it shows what lies outside the image, and so takes the `fill` of the `Augmentation`.
      per_side: the magnitude is in pixels, and `typical` counts in sides of the image.
    """

    apply: Callable[..., Array]
    unit: str
    typical: float
    high: float = math.inf
    takes: str = "images"
    outside: bool = False
    per_side: bool = False

    @property
    def images(self) -> bool:
        """Whether it takes images and no other examples."""
        return self.takes == "images"

    @property
    def colors(self) -> bool:
        """Whether it depends on what black and white are, and so takes `low` and `high`."""
        return "low" in inspect.signature(self.apply).parameters

    @property
    def options(self) -> dict[str, Any]:
        """What a description may give beside the magnitude, with defaults: as `probability`."""
        parameters = list(inspect.signature(self.apply).parameters.values())[3:]
        return {p.name: p.default for p in parameters if p.name not in ABOUT_PIXELS}


AUGMENTATIONS: dict[str, Kind] = {
    "shift": Kind(shift, "largest shift in pixels", 0.25, outside=True, per_side=True),
    "pad_crop": Kind(pad_crop, "padding in pixels before a random crop", 0.125, outside=True, per_side=True),
    "flip": Kind(flip, "probability of a horizontal flip", 0.5, high=1.0),
    "rotate": Kind(rotate, "largest angle in degrees", 45.0, high=180.0, outside=True),
    "shear": Kind(shear, "largest slope", 0.5, outside=True),
    "scale": Kind(scale, "largest change of size", 0.5, outside=True),
    "affine": Kind(affine, "share of its largest rotation, shear, scale and shift", 1.0, outside=True),
    "elastic": Kind(elastic, "standard deviation of the displacement in pixels", 0.03, outside=True, per_side=True),
    "brightness": Kind(brightness, "largest change of the factor", 0.6),
    "contrast": Kind(contrast, "largest change of the factor", 0.8),
    "saturation": Kind(saturation, "largest change of the factor", 0.9),
    "hue": Kind(hue, "largest turn of the colour circle", 0.3, high=0.5),
    "posterize": Kind(posterize, "largest number of bits taken away", 6.0, high=8.0),
    "solarize": Kind(solarize, "largest share of levels inverted", 0.8, high=1.0),
    "equalize": Kind(equalize, "share of the equalized image", 1.0, high=1.0),
    "autocontrast": Kind(autocontrast, "share of the stretched image", 1.0, high=1.0),
    "sharpness": Kind(sharpness, "largest change of the factor", 0.9),
    "blur": Kind(blur, "largest standard deviation in pixels", 1.5),
    "noise": Kind(gaussian_noise, "standard deviation of added noise", 0.6, takes="any"),
    "cutout": Kind(cutout, "side of the covered square in pixels", 0.5, per_side=True),
    "random_erasing": Kind(random_erasing, "largest share of the image covered", 0.4, high=1.0),
    "rand_augment": Kind(rand_augment, "magnitude of all operations", 9.0, high=10.0, outside=True),
    "trivial_augment": Kind(trivial_augment, "largest magnitude of the operation", 10.0, high=10.0, outside=True),
    "aug_mix": Kind(aug_mix, "largest magnitude of an operation", 6.0, high=10.0, outside=True),
    "row_cutout": Kind(row_cutout, "share of features covered", 0.3, high=1.0, takes="rows"),
    "feature_dropout": Kind(feature_dropout, "fraction of features dropped", 0.3, high=1.0, takes="rows"),
}
