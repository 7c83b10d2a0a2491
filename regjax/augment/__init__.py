"""Keyed augmentations `(key, x, magnitude) -> x`: batched, jittable, the identity at magnitude 0.

`x` is an array `[B, ...]` or a whole `Batch`, whose `x` is then augmented and whose targets stay.
Every magnitude may be traced, so one compiled program serves a sweep over strengths.
"""

from regjax.augment.geometry import flip, rotate, rotated, shift, shifted
from regjax.augment.mix import beta_symmetric, mixup
from regjax.augment.pipeline import AUGMENTATIONS, Augmentation, Kind, compose, make
from regjax.augment.pixels import cutout, gaussian_noise

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Kind",
    "beta_symmetric",
    "compose",
    "cutout",
    "flip",
    "gaussian_noise",
    "make",
    "mixup",
    "rotate",
    "rotated",
    "shift",
    "shifted",
]
