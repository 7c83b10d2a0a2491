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
from regjax.typing import Array

# What an `Augmentation` says about the pixels, so that no description has to.
ABOUT_PIXELS = ("fill", "low", "high")


@dataclasses.dataclass(frozen=True)
class Kind:
    """One augmentation of the registry.

    Attributes:
      apply: `(key, x, magnitude, ...) -> x`, the identity at magnitude 0.
      unit: what the magnitude is, for error messages and help.
      high: largest magnitude; a product with a strength is clipped there.
      takes: `"images"`, `"rows"` of a table, or `"any"` examples.
      outside: whether it shows what lies outside the image, and so takes the `fill` of the `Augmentation`.
    """

    apply: Callable[..., Array]
    unit: str
    high: float = math.inf
    takes: str = "images"
    outside: bool = False

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
    "shift": Kind(shift, "largest shift in pixels", outside=True),
    "pad_crop": Kind(pad_crop, "padding in pixels before a random crop", outside=True),
    "flip": Kind(flip, "probability of a horizontal flip", high=1.0),
    "rotate": Kind(rotate, "largest angle in degrees", high=180.0, outside=True),
    "shear": Kind(shear, "largest slope", outside=True),
    "scale": Kind(scale, "largest change of size", outside=True),
    "affine": Kind(affine, "share of its largest rotation, shear, scale and shift", outside=True),
    "elastic": Kind(elastic, "standard deviation of the displacement in pixels", outside=True),
    "brightness": Kind(brightness, "largest change of the factor"),
    "contrast": Kind(contrast, "largest change of the factor"),
    "saturation": Kind(saturation, "largest change of the factor"),
    "hue": Kind(hue, "largest turn of the colour circle", high=0.5),
    "posterize": Kind(posterize, "largest number of bits taken away", high=8.0),
    "solarize": Kind(solarize, "largest share of levels inverted", high=1.0),
    "equalize": Kind(equalize, "share of the equalized image", high=1.0),
    "autocontrast": Kind(autocontrast, "share of the stretched image", high=1.0),
    "sharpness": Kind(sharpness, "largest change of the factor"),
    "blur": Kind(blur, "largest standard deviation in pixels"),
    "noise": Kind(gaussian_noise, "standard deviation of added noise", takes="any"),
    "cutout": Kind(cutout, "side of the covered square in pixels"),
    "random_erasing": Kind(random_erasing, "largest share of the image covered", high=1.0),
    "rand_augment": Kind(rand_augment, "magnitude of all operations", high=10.0, outside=True),
    "trivial_augment": Kind(trivial_augment, "largest magnitude of the operation", high=10.0, outside=True),
    "aug_mix": Kind(aug_mix, "largest magnitude of an operation", high=10.0, outside=True),
    "row_cutout": Kind(row_cutout, "share of features covered", high=1.0, takes="rows"),
    "feature_dropout": Kind(feature_dropout, "fraction of features dropped", high=1.0, takes="rows"),
}
