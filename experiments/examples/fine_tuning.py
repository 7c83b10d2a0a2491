"""Fine-tuning with L2-SP: a penalty on the distance from the weights that were trained before.

  python -m experiments.examples.fine_tuning

prints

  squared distance from the first weights, L2-SP smaller than L2: True
  accuracy on shifted digits above 65%: True
"""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import regjax as rj


def main():
    """Train on many upright digits, then on 40 shifted ones, with L2 to zero or to the first weights."""
    digits = load_digits()
    upright = jnp.asarray(digits.images / 16.0, jnp.float32)
    shifted, y = jnp.roll(upright, 1, axis=2), jnp.asarray(digits.target)
    upright, shifted = upright.reshape(-1, 64), shifted.reshape(-1, 64)
    model = rj.models.make_model("mlp", num_outputs=10, widths=(128,))

    def trained(x, count, weights=None, penalty=None):
        spec = rj.Spec(model, num_classes=10, batch_size=20, steps_per_epoch=count // 20, epochs=30)
        penalties = {} if penalty is None else {"loss": penalty}
        hparams = rj.make_hparams(learning_rate=2e-3, n_train=count, penalties=penalties)
        data = rj.TrainData(x[:count], y[:count], jnp.arange(count), x[1000:], y[1000:])
        state = jax.jit(rj.make_run(spec))(hparams, jax.random.key(0), data, 0, weights)
        return state.weights(hparams), float(state.history.values["val/accuracy"][-1])

    before, _ = trained(upright, 1000)

    def moved(weights):
        pairs = zip(jax.tree.leaves(weights.params), jax.tree.leaves(before.params), strict=True)
        return float(sum(jnp.sum((a - b) ** 2) for a, b in pairs))

    zero, _ = trained(shifted, 40, before, rj.l2(0.01))
    start, accuracy = trained(shifted, 40, before, rj.l2_to(before.params, 0.01))
    print(f"squared distance from the first weights, L2-SP smaller than L2: {moved(start) < moved(zero)}")
    print(f"accuracy on shifted digits above 65%: {accuracy > 0.65}")


if __name__ == "__main__":
    main()
