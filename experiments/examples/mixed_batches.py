"""RandAugment, mixup and CutMix in one jitted update; their strengths are numbers that may change at every step.

  python -m experiments.examples.mixed_batches

prints

  test accuracy above 80%: True
"""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

import regjax as rj


def main():
    """Half of the batches are mixed by mixup, half by CutMix, as in timm."""
    digits = load_digits()
    images = jnp.asarray(digits.images[..., None] * (255 / 16), jnp.uint8)
    labels = jnp.asarray(digits.target)
    augment = rj.augment.make("shift=1,rand_augment(5, layers=1)")
    model = rj.models.make_model("cnn", num_outputs=10, widths=(16, 32), dense=64)

    def transform(key, batch, strength):
        first, second, third, which = jax.random.split(key, 4)
        pixels = augment.apply(first, batch.x, strength).astype(jnp.float32) / 255
        batch = batch._replace(x=pixels)
        mixed = rj.augment.mixup(second, batch, 0.2, num_classes=10)
        cut = rj.augment.cutmix(third, batch, 1.0, num_classes=10)
        return jax.tree.map(lambda a, b: jnp.where(jax.random.bernoulli(which), a, b), mixed, cut)

    loss_fn = rj.build_loss(model.apply, "cross_entropy", transform_batch=transform)
    tx = optax.adam(2e-3)
    step = jax.jit(rj.make_step(loss_fn, tx))
    state = rj.init_train_state(model.init(jax.random.key(0), images[:1] / 255)["params"], {}, tx)
    for i in range(150):
        rows = jax.random.randint(jax.random.key(i), (50,), 0, 300)
        strength = jnp.float32(min(1.0, i / 100))
        state, _ = step(strength, state, rj.Batch(images[rows], labels[rows]), jax.random.key(1000 + i))
    found = rj.evaluate(model.apply, state.params, None, images[1000:] / 255, labels[1000:])
    print(f"test accuracy above 80%: {found['accuracy'] > 0.8}")


if __name__ == "__main__":
    main()
