"""Show every augmentation on real images at three strengths.

  regjax gallery --dataset=digits --workdir=runs/gallery

Writes report.html and one PNG for each augmentation into --workdir; takes about 20 seconds, and a few seconds when it
runs again. The images come from the training set, with as many classes as possible, and are augmented as in training.
--dataset takes any dataset of images: the embedded digits, a prepared TFDS dataset, a .npz, a folder of class folders.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import TYPE_CHECKING, Any

from regjax import catalog
from regjax.cli import app, flags, workdirs
from regjax.cli.options import DataOptions, WorkdirOptions
from regjax.core.options import text, whole

if TYPE_CHECKING:
    import numpy as np

    from regjax.cli.setup import Loaded
    from regjax.report.gallery_page import Card

SHARES = (1 / 3, 2 / 3, 1.0)  # fractions of the typical magnitude
ALPHAS = (0.2, 1.0, 5.0)  # parameters of mixup and CutMix
GROUPS = {
    "geometry": "Moves",
    "warps": "Moves",
    "color": "Colour",
    "tone": "Colour",
    "filters": "Sharpness, noise, occlusion",
    "pixels": "Sharpness, noise, occlusion",
    "policies": "Policies",
    "mix": "Mixtures of two images",
}


@dataclasses.dataclass(frozen=True)
class Config(WorkdirOptions, DataOptions):
    """The options of the command."""

    workdir: str = text("data", "runs/gallery", "where the results go", fixed=False)
    images: int = whole("gallery", 4, "images of each augmentation")
    seed: int = whole("gallery", 0, "of the split, of the choice of images and of the augmentations", low=0)


def main(config: Config) -> int:
    """Run the experiment; returns the exit code."""
    started = time.time()
    workdir = workdirs.check(config, "gallery")

    from regjax.augment import AUGMENTATIONS
    from regjax.cli import setup
    from regjax.report.gallery_page import write_gallery

    loaded = setup.load(config, config.seed)
    flags.check(loaded.splits.kind == "image", "dataset", f"{loaded.splits.name} is a table; the gallery shows images")
    channels = loaded.splits.x_train.shape[-1]
    flags.check(channels in (1, 3), "dataset", f"has {channels} channels; the gallery shows gray and RGB images")
    count = config.images
    flags.check(count <= len(loaded.splits.y_train), "images", f"at most {len(loaded.splits.y_train)} are for training")
    # Mixtures need enough images, because an image may be drawn as its own partner.
    pool = _choose(loaded, max(count, 16), config.seed)
    chosen = pool[:count]
    groups: dict[str, list[Card]] = {}
    for name, kind in AUGMENTATIONS.items():
        if kind.takes != "rows":
            card = _card(name, loaded, chosen, config.seed)
            groups.setdefault(GROUPS[kind.apply.__module__.rpartition(".")[-1]], []).append(card)
    groups[GROUPS["mix"]] = [_mix_card(name, loaded, pool, count, config.seed) for name in ("mixup", "cutmix")]

    reproduction = app.reproduce("gallery", started) | {"seeds": [config.seed]}
    workdirs.claim(config, "gallery")
    with workdirs.written_aside(workdir) as directory:
        workdirs.write_json(
            directory / "config.json", {"experiment": "gallery", "flags": config.to_json(), "reproduce": reproduction}
        )
        write_gallery(loaded.splits.name, groups, reproduction, directory)
    print(f"gallery: {workdir / 'report.html'}   {sum(map(len, groups.values()))} augmentations")
    return app.DONE


def _choose(loaded: Loaded, count: int, seed: int) -> np.ndarray:
    """Return up to `count` original training images `[n, H, W, C]`, with images of different classes first."""
    import numpy as np

    y = loaded.splits.y_train
    order = np.random.default_rng(seed).permutation(len(y))
    firsts = [order[np.flatnonzero(y[order] == label)[0]] for label in np.unique(y)] if y.ndim == 1 else []
    if len(firsts) > len(y) // 2:  # targets are numbers rather than classes
        firsts = []
    index = [*firsts, *[i for i in order if i not in set(firsts)]][:count]
    return np.asarray(loaded.splits.x_train[np.asarray(index)])


def _card(name: str, loaded: Loaded, x: np.ndarray, seed: int) -> Card:
    import jax
    import jax.numpy as jnp

    from regjax.augment import AUGMENTATIONS, Augmentation, AugmentationStep
    from regjax.report.gallery_page import Card, Column

    kind, standardized = AUGMENTATIONS[name], loaded.preprocessor.transform(x)
    typical = kind.typical * (min(x.shape[1:3]) if kind.per_side else 1.0)
    standardization = loaded.preprocessor.standardization
    standardize = None if standardization is None else standardization.apply
    augmentation = Augmentation((AugmentationStep(name, typical),))
    augment = jax.jit(functools.partial(augmentation.apply, standardize=standardize))

    columns = [Column("original", _pixels(loaded, standardized))]
    for share in SHARES:
        y = augment(jax.random.key(seed), jnp.asarray(x), jnp.float32(share))
        columns.append(Column(f"{share * typical:.2g}", _pixels(loaded, y)))
    return Card(name, _sentence(kind.apply), catalog.AUGMENTATIONS[name].unit, columns)


def _mix_card(name: str, loaded: Loaded, x: np.ndarray, count: int, seed: int) -> Card:
    import jax
    import jax.numpy as jnp

    from regjax.augment import MIXES
    from regjax.core.typing import Batch
    from regjax.report.gallery_page import Card, Column

    x = loaded.preprocessor.transform(x)
    columns = [Column("original", _pixels(loaded, x[:count]))]
    batch = Batch(jnp.asarray(x), jnp.arange(len(x), dtype=jnp.float32))
    for alpha in ALPHAS:
        mixed = MIXES[name](jax.random.key(seed), batch, alpha).x[:count]
        columns.append(Column(f"{alpha:g}", _pixels(loaded, mixed)))
    return Card(name, _sentence(MIXES[name]), "alpha of Beta(alpha, alpha)", columns)


def _pixels(loaded: Loaded, x: Any) -> np.ndarray:
    """Convert standardized images to bytes, the inverse of `Preprocessor.transform`."""
    import numpy as np

    levels = 255.0 * (np.asarray(x) * loaded.preprocessor.scale + loaded.preprocessor.mean)
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def _sentence(function: Any) -> str:
    """Return the first sentence of a docstring, without the parts that only the documentation needs."""
    line = (function.__doc__ or "").strip().splitlines()[0]
    return line.partition(": `")[0].replace("`", "").rstrip(".") + "."
