"""Whether to augment standardized float32 images, or the uint8 that was read and standardize afterwards.

The study behind the order of `regjax.augment.Augmentation`.

Command: `python -m experiments.studies.augmentation_order` (about eight minutes on two cores); it prints one JSON
object, the record `experiments/records/augmentation_order.json`.

Both orders train the same net from the same start on the same examples:

- `standardized`: the pool is standardized once, in float32; augmentations know what black and white became.
- `raw`: the pool stays uint8; each batch is augmented as it is and standardized before the net.

Measured are the bytes of 50,000 images of 32 x 32 x 3, the time of an update of the net of the benchmark `conv_step` on
such images (batch 64) and of the augmentation alone, and the accuracy on the digits after 400 updates on 128 of them.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app

import regjax as rj
from regjax.core.typing import Array
from regjax.data import Preprocessor
from regjax.models.interface import as_model
from regjax.training.batches import next_block
from regjax.training.program import make_program

POLICIES = {
    "crop and flip": "pad_crop=4,flip=0.5",
    "default": "shift=3,rotate=15,noise=0.5",
    "rand_augment": "pad_crop=4,flip=0.5,rand_augment(9, layers=2)",
}
IMAGES, SIDE, BATCH, MICRO_BATCH, UPDATES, PAIRS = 50_000, 32, 64, 16, 8, 9
SEEDS, EXAMPLES = 10, 128


def orders(net: Any, pre: Preprocessor, description: str) -> dict[str, tuple[Any, rj.augment.Augmentation]]:
    """By order, the model and the augmentation of its batches. Noise is in levels where the images are."""
    inner = as_model(net)  # a pair of functions says no micro-batch, so both get that of the net
    mean, scale = pre.mean, pre.scale

    def standardized(x: Array) -> Array:
        return (x.astype(jnp.float32) / 255.0 - mean) / scale

    def init(key: Any, x: Array) -> Any:
        return inner.init(key, standardized(x))[0]

    def apply(params: Any, x: Array) -> Array:
        return inner.apply({"params": params}, standardized(x))

    made = rj.augment.make(description)
    levels = 255.0 * float(np.mean(scale))
    steps = tuple(s._replace(magnitude=s.magnitude * levels) if s.name == "noise" else s for s in made.steps)
    return {
        "standardized": (net, made.between(pre.background, pre.white)),
        "raw": ((init, apply), rj.augment.Augmentation(steps)),
    }


def _medians(calls: dict[str, Callable[[], Any]], scale: float) -> dict[str, Any]:
    """The median time of each order, alternating, and the median ratio of the pairs."""
    for call in calls.values():
        jax.block_until_ready(call())
    taken: dict[str, list[float]] = {order: [] for order in calls}
    for pair in range(PAIRS):
        for order in list(calls)[:: 1 if pair % 2 else -1]:
            started = time.perf_counter()
            jax.block_until_ready(calls[order]())
            taken[order].append(scale * (time.perf_counter() - started))
    ratios = np.divide(taken["raw"], taken["standardized"])
    return {
        **{order: round(float(np.median(times)), 2) for order, times in taken.items()},
        "raw_to_standardized": round(float(np.median(ratios)), 3),
        "quartiles": [round(float(q), 3) for q in np.quantile(ratios, [0.25, 0.75])],
    }


def times(description: str) -> dict[str, Any]:
    """Milliseconds of an update and of the augmentation of a batch, in both orders."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(1024, SIDE // 4, SIDE // 4, 3)).repeat(4, axis=1).repeat(4, axis=2)
    pixels = np.clip(128 + 50 * coarse + 10 * rng.normal(size=(1024, SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
    labels = jnp.asarray(rng.integers(0, 10, len(pixels)), jnp.int32)
    pre = Preprocessor.fit(pixels, "image")
    net = rj.models.make_model("cnn", num_outputs=10, widths=(32, 64), dense=128)
    updates: dict[str, Callable[[], Any]] = {}
    augments: dict[str, Callable[[], Any]] = {}
    for order, (model, augmentation) in orders(net, pre, description).items():
        x = jnp.asarray(pixels if order == "raw" else pre.transform(pixels))
        data = rj.TrainData(x, labels, jnp.arange(len(x)), x[:BATCH], labels[:BATCH])
        spec = rj.Spec(
            model, num_classes=10, batch_size=BATCH, micro_batch=MICRO_BATCH, steps_per_epoch=UPDATES,
            augmentation=augmentation,
        )  # fmt: skip
        hparams, key = rj.make_hparams(learning_rate=1e-3, n_train=len(x), augment=1.0), jax.random.key(0)

        def update(state: Any, data: Any, spec: Any = spec, hparams: Any = hparams, key: Any = key) -> Any:
            block = next_block(spec, key, state.train.step, data, hparams.n_train, UPDATES)
            return make_program(spec).updates(state, hparams, key, block, UPDATES)

        state, compiled = make_program(spec).init(hparams, key, x[:1]), jax.jit(update)
        updates[order] = functools.partial(compiled, state, data)
        augment = jax.jit(augmentation.apply)
        augments[order] = functools.partial(augment, jax.random.key(1), x[:BATCH], 1.0)
    return {"update_ms": _medians(updates, 1e3 / UPDATES), "augmentation_ms": _medians(augments, 1e3)}


def accuracies() -> dict[str, Any]:
    """Test accuracy on the digits, brought to 0..255, over seeds that both orders share."""
    whole = rj.data.load("digits")
    pixels, labels = np.round(whole.x * (255 / 16)).astype(np.uint8), jnp.asarray(whole.y)
    net = rj.models.make_model("cnn", num_outputs=10, widths=(16, 32), dense=64)
    found: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(len(pixels))
        train, test = order[:EXAMPLES], order[EXAMPLES:]
        pre = Preprocessor.fit(pixels[train], "image")
        for name, (model, augmentation) in orders(net, pre, "shift=1,rotate=15,noise=0.5").items():
            x = jnp.asarray(pixels if name == "raw" else pre.transform(pixels))
            data = rj.TrainData(x[train], labels[train], jnp.arange(EXAMPLES), x[test], labels[test])
            spec = rj.Spec(
                model, num_classes=10, batch_size=32, micro_batch=MICRO_BATCH, steps_per_epoch=400,
                eval_train_examples=1, augmentation=augmentation,
            )  # fmt: skip
            hparams = rj.make_hparams(learning_rate=1e-3, n_train=EXAMPLES, augment=1.0)
            state = jax.jit(rj.make_run(spec))(hparams, jax.random.key(seed), data)
            found.setdefault(name, []).append(float(state.history.values["val/accuracy"][-1]))
    difference = np.subtract(found["raw"], found["standardized"])
    return {
        **{name: round(float(np.mean(values)), 4) for name, values in found.items()},
        "difference": round(float(difference.mean()), 4),
        "standard_error": round(float(difference.std(ddof=1) / np.sqrt(SEEDS)), 4),
    }


def run() -> dict[str, Any]:
    """Everything."""
    shape = (IMAGES, SIDE, SIDE, 3)
    kinds = {"standardized": jnp.float32, "raw": jnp.uint8}
    return {
        "device": jax.devices()[0].platform,
        "pool_megabytes": {order: round(jnp.zeros(shape, kind).nbytes / 1e6, 1) for order, kind in kinds.items()},
        "times": {name: times(description) for name, description in POLICIES.items()},
        "digits_accuracy": accuracies(),
        "seeds": SEEDS,
        "pairs": PAIRS,
    }


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    app.run(main)
