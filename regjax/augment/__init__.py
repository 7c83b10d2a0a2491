"""Keyed augmentations `(key, x, magnitude, ...) -> x`: batched, jittable, and the identity at magnitude 0.

`x` is an array `[B, ...]`, as images `[B, H, W, C]` in uint8 or floating point, or a `Batch`, of which only `x` is
augmented; `mixup`, `cutmix` and `row_cutmix` take a `Batch` and mix the targets too. All magnitudes, and every
`probability` that an example is changed, may be traced, so that one compiled program serves a sweep. A concrete number
out of range is an error; a traced one is clipped, and NaN acts as 0.

Functions with a past participle as name (`rotated`, `brightened`) draw no random numbers and take one number for each
image.
"""

from regjax.augment.color import brightened, brightness, contrast, contrasted, hue, hue_turned, saturated, saturation
from regjax.augment.filters import blur, blurred, sharpened, sharpness
from regjax.augment.geometry import flip, pad_crop, rotate, scale, shear, shift
from regjax.augment.mix import MIXES, beta_symmetric, cutmix, mixup, row_cutmix
from regjax.augment.pipeline import Augmentation, AugmentationStep, compose, make
from regjax.augment.pixels import covered, cutout, gaussian_noise, random_erasing
from regjax.augment.policies import aug_mix, rand_augment, trivial_augment
from regjax.augment.registry import AUGMENTATIONS, Kind
from regjax.augment.resample import affined, displaced, rotated, scaled, sheared, shifted
from regjax.augment.tables import feature_dropout, row_cutout
from regjax.augment.tone import (
    autocontrast,
    autocontrasted,
    equalize,
    equalized,
    posterize,
    posterized,
    solarize,
    solarized,
)
from regjax.augment.warps import affine, elastic

__all__ = [
    "AUGMENTATIONS",
    "MIXES",
    "Augmentation",
    "AugmentationStep",
    "Kind",
    "affine",
    "affined",
    "aug_mix",
    "autocontrast",
    "autocontrasted",
    "beta_symmetric",
    "blur",
    "blurred",
    "brightened",
    "brightness",
    "compose",
    "contrast",
    "contrasted",
    "covered",
    "cutmix",
    "cutout",
    "displaced",
    "elastic",
    "equalize",
    "equalized",
    "feature_dropout",
    "flip",
    "gaussian_noise",
    "hue",
    "hue_turned",
    "make",
    "mixup",
    "pad_crop",
    "posterize",
    "posterized",
    "rand_augment",
    "random_erasing",
    "rotate",
    "rotated",
    "row_cutmix",
    "row_cutout",
    "saturated",
    "saturation",
    "scale",
    "scaled",
    "sharpened",
    "sharpness",
    "shear",
    "sheared",
    "shift",
    "shifted",
    "solarize",
    "solarized",
    "trivial_augment",
]
