"""RandAugment of two operations, crop of a padded image and flip, on batches of 256 colour images of 32x32."""

from __future__ import annotations

from typing import Any

from cases.base import Case, Contender, Context, Measured, Round, seconds
from cases.sweep_peers import in_two_processes

BATCH, SIDE, PAD, LAYERS, MAGNITUDE = 256, 32, 4, 2, 9  # of 10
# Full strengths of RandAugment: degrees, slope, share of the side, change of a factor, bits.
DEGREES, SLOPE, SHARE, CHANGE, BITS = 30, 0.3, 150 / 331, 0.9, 4
NAMES = (
    *("identity", "autocontrast", "equalize", "rotate", "solarize", "posterize", "color", "contrast"),
    *("brightness", "sharpness", "shear_x", "shear_y", "translate_x", "translate_y"),
)


def prepare(context: Context) -> dict[str, Any]:
    """One batch of bytes, smooth with some noise, and how many times it is augmented in a round."""
    import numpy as np

    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (BATCH, 8, 8, 3)).repeat(SIDE // 8, 1).repeat(SIDE // 8, 2)
    x = np.clip(coarse + rng.normal(0, 10, coarse.shape), 0, 255).astype(np.uint8)
    return {"x": x, "batches": np.int32(context.size(40, 4))}


def change(before: Any, after: Any) -> float:
    """Mean absolute change of a level: the quality, which similar augmentations share."""
    import numpy as np

    return float(np.abs(np.asarray(after, np.float32) - np.asarray(before, np.float32)).mean())


def ours(context: Context) -> Round:
    """`rj.augment.make`, one compiled call a batch, and one call that scans over all batches."""
    import jax
    import jax.numpy as jnp

    from regjax.augment import make

    augmentation = make(f"pad_crop={PAD},flip=0.5,rand_augment({MAGNITUDE}, layers={LAYERS})")
    x, batches = jnp.asarray(context.shared["x"]), int(context.shared["batches"])
    keys, strength = jax.random.split(jax.random.key(0), batches), jnp.float32(1.0)
    one_batch = jax.jit(augmentation.apply)

    @jax.jit
    def scanned(keys: Any, x: Any, strength: Any) -> Any:
        # Every batch counts in the sum, so that none can be skipped.
        return jax.lax.scan(lambda total, key: (total + augmentation.apply(key, x, strength), None), x, keys)[0]

    def loop() -> None:
        for key in keys:
            jax.block_until_ready(one_batch(key, x, strength))

    def one_round() -> Measured:
        called = seconds(loop)
        inside = seconds(lambda: jax.block_until_ready(scanned(keys, x, strength)))
        quality = sum(change(x, one_batch(key, x, strength)) for key in keys[:4]) / 4
        return Measured({"call": 1e3 * called / batches, "scan": 1e3 * inside / batches}, quality)

    return one_round


def with_pillow(given: dict[str, Any], batches: list[int]) -> float:
    """Pillow image by image; returns the sum of the changes."""
    import random

    import numpy as np
    from PIL import Image, ImageOps

    total = 0.0
    for number in batches:
        draw, out = random.Random(number), np.empty_like(given["x"])
        for i, pixels in enumerate(given["x"]):
            image = Image.fromarray(pixels)
            offset = draw.randint(-PAD, PAD), draw.randint(-PAD, PAD)
            image = image.transform(image.size, Image.Transform.AFFINE, (1, 0, offset[0], 0, 1, offset[1]))
            if draw.random() < 0.5:
                image = ImageOps.mirror(image)
            for name in draw.choices(NAMES, k=LAYERS):
                image = _operated(image, name, draw.choice((-1, 1)) * MAGNITUDE / 10)
            out[i] = image
        total += change(given["x"], out)
    return total


def _operated(image: Any, name: str, s: float) -> Any:
    from PIL import Image, ImageEnhance, ImageOps

    def moved(*coefficients: float) -> Any:
        return image.transform(image.size, Image.Transform.AFFINE, coefficients)

    half = SIDE / 2
    if name == "identity":
        return image
    if name == "autocontrast":
        return ImageOps.autocontrast(image)
    if name == "equalize":
        return ImageOps.equalize(image)
    if name == "rotate":
        return image.rotate(s * DEGREES)
    if name == "solarize":
        return ImageOps.solarize(image, int(256 * (1 - abs(s))))
    if name == "posterize":
        return ImageOps.posterize(image, 8 - round(BITS * abs(s)))
    if name == "shear_x":
        return moved(1, s * SLOPE, -s * SLOPE * half, 0, 1, 0)
    if name == "shear_y":
        return moved(1, 0, 0, s * SLOPE, 1, -s * SLOPE * half)
    if name == "translate_x":
        return moved(1, 0, round(s * SHARE * SIDE), 0, 1, 0)
    if name == "translate_y":
        return moved(1, 0, 0, 0, 1, round(s * SHARE * SIDE))
    return getattr(ImageEnhance, name.capitalize())(image).enhance(1 + CHANGE * s)


def pillow(context: Context) -> Round:
    """Pillow in two processes that stay alive, as data loaders have them."""
    batches = int(context.shared["batches"])
    augment = in_two_processes(with_pillow, {"x": context.shared["x"], "lanes": batches})

    def one_round() -> Measured:
        found: list[float] = []
        taken = seconds(lambda: found.append(augment()))
        return Measured({"two processes": 1e3 * taken / batches}, found[0])

    return one_round


def kornia(context: Context) -> Round:
    """Kornia on whole batches; it draws the operations of RandAugment once for a batch, and counts to 30."""
    import torch
    from kornia.augmentation import AugmentationSequential, RandomCrop, RandomHorizontalFlip
    from kornia.augmentation.auto import RandAugment

    torch.manual_seed(0)
    x = torch.tensor(context.shared["x"]).permute(0, 3, 1, 2).contiguous()
    batches = int(context.shared["batches"])
    moves = AugmentationSequential(
        RandomCrop((SIDE, SIDE), padding=PAD, p=1.0),
        RandomHorizontalFlip(p=0.5),
        RandAugment(LAYERS, 3 * MAGNITUDE),
    )

    def one_round() -> Measured:
        found: list[Any] = []
        taken = seconds(lambda: found.extend(moves(x.float() / 255) for _ in range(batches)))
        return Measured({"batches": 1e3 * taken / batches}, change(x, 255 * torch.stack(found)))

    return one_round


CASES = {
    "augment": Case(
        name="augment",
        summary="RandAugment, crop of a padded image and flip on 256 colour images of 32x32",
        unit="ms/batch",
        quality="mean change",
        prepare=prepare,
        headline="call",
        contenders={
            "ours": Contender(ours),
            "pillow": Contender(pillow),
            "kornia": Contender(kornia, ("kornia",)),
        },
    )
}
