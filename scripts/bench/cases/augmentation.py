"""Shift, rotation, noise and cutout on batches of 128 images of 28x28."""

from __future__ import annotations

from typing import Any

from cases import problems
from cases.base import Case, Contender, Context, Measured, Round, seconds
from cases.sweeps import in_two_processes

BATCH, SHIFT, ANGLE, NOISE, SQUARE = 128, 2, 15.0, 0.1, 8


def prepare(context: Context) -> dict[str, Any]:
    """Batches of images."""
    batches = context.size(40, 2)
    return {"x": problems.clusters(batches * BATCH, (28, 28))[0].reshape(batches, BATCH, 28, 28)}


def change(before: Any, after: Any) -> float:
    """Mean absolute change of a pixel: the quality, which similar augmentations share."""
    import numpy as np

    return float(np.abs(np.asarray(after) - np.asarray(before)).mean())


def ours(context: Context) -> Round:
    """`rj.augment.make` in a compiled scan over batches."""
    import jax
    import jax.numpy as jnp

    from regjax.augment import make

    augmentation = make(f"shift={SHIFT},rotate={ANGLE},noise={NOISE},cutout={SQUARE}")
    batches = jnp.asarray(context.shared["x"])[..., None]

    @jax.jit
    def augmented(key: Any, strength: Any, batches: Any) -> Any:
        keys = jax.random.split(key, len(batches))
        return jax.lax.map(lambda one: augmentation.apply(one[0], one[1], strength), (keys, batches))

    arguments = jax.random.key(0), jnp.float32(1.0), batches

    def one_round() -> Measured:
        taken = seconds(lambda: jax.block_until_ready(augmented(*arguments)))
        return Measured({"scan": 1e3 * taken / len(batches)}, change(batches, augmented(*arguments)))

    return one_round


def with_scipy(given: dict[str, Any], batches: list[int]) -> float:
    """`scipy.ndimage` image by image, noise and cutout with NumPy; returns the sum of the changes."""
    import numpy as np
    from scipy import ndimage

    rng, total = np.random.default_rng(batches[0]), 0.0
    for batch in (given["x"][i] for i in batches):
        out = np.empty_like(batch)
        for i, image in enumerate(batch):
            moved = ndimage.shift(image, rng.integers(-SHIFT, SHIFT + 1, 2), order=0)
            out[i] = ndimage.rotate(moved, rng.uniform(-ANGLE, ANGLE), reshape=False, order=1)
        total += change(batch, _noise_and_cutout(rng, out))
    return total


def with_pillow(given: dict[str, Any], batches: list[int]) -> float:
    """Pillow image by image, both moves as one affine map; noise and cutout with NumPy."""
    import math

    import numpy as np
    from PIL import Image

    rng, total = np.random.default_rng(batches[0]), 0.0
    for batch in (given["x"][i] for i in batches):
        out = np.empty_like(batch)
        for i, image in enumerate(batch):
            angle, (down, right) = math.radians(rng.uniform(-ANGLE, ANGLE)), rng.integers(-SHIFT, SHIFT + 1, 2)
            cos, sin, centre = math.cos(angle), math.sin(angle), 14.0
            matrix = (
                *(cos, sin, centre - cos * centre - sin * centre - right),
                *(-sin, cos, centre + sin * centre - cos * centre - down),
            )
            picture = Image.fromarray(image, mode="F")
            out[i] = picture.transform((28, 28), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        total += change(batch, _noise_and_cutout(rng, out))
    return total


def _noise_and_cutout(rng: Any, images: Any) -> Any:
    import numpy as np

    images += NOISE * rng.standard_normal(images.shape, np.float32)
    place = np.arange(28) + 0.5 - rng.uniform(0, 28, (2, len(images), 1))
    covered = (place >= -SQUARE / 2) & (place < SQUARE / 2)
    images[covered[0][:, :, None] & covered[1][:, None, :]] = 0.0
    return images


def per_image(function: Any, context: Context) -> Round:
    """A round of one of the peers, in two processes."""
    given = dict(context.shared)
    train = in_two_processes(function, given | {"lanes": len(given["x"])})

    def one_round() -> Measured:
        found: list[float] = []
        taken = seconds(lambda: found.append(train()))
        return Measured({"two processes": 1e3 * taken / len(given["x"])}, found[0])

    return one_round


def kornia(context: Context) -> Round:
    """Kornia on whole batches."""
    import torch
    from kornia import augmentation

    torch.manual_seed(0)
    x = torch.tensor(context.shared["x"])[:, :, None]
    moves = augmentation.AugmentationSequential(
        augmentation.RandomAffine(ANGLE, (SHIFT / 28, SHIFT / 28), p=1.0),
        augmentation.RandomGaussianNoise(std=NOISE, p=1.0),
        augmentation.RandomErasing((SQUARE**2 / 784,) * 2, (1.0, 1.0), p=1.0),
    )

    def one_round() -> Measured:
        found: list[Any] = []
        taken = seconds(lambda: found.extend(moves(batch) for batch in x))
        return Measured({"batches": 1e3 * taken / len(x)}, change(x, torch.stack(found)))

    return one_round


CASES = {
    "augment": Case(
        name="augment",
        summary="shift, rotation, noise and cutout on 128 images of 28x28",
        unit="ms/batch",
        quality="mean change",
        prepare=prepare,
        contenders={
            "ours": Contender(ours),
            "pillow": Contender(lambda context: per_image(with_pillow, context)),
            "scipy": Contender(lambda context: per_image(with_scipy, context)),
            "kornia": Contender(kornia, ("kornia",)),
        },
    )
}
