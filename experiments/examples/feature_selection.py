"""Feature selection in a deep net: a group lasso on the inputs drops whole columns of a table.

  python -m experiments.examples.feature_selection

prints

  features that are used: [3, 7]
  validation accuracy above 90%: True
"""

import jax
import jax.numpy as jnp

import regjax as rj


def main():
    """Two of ten features matter, by their squares, which no linear method sees."""
    x = jax.random.normal(jax.random.key(0), (3000, 10))
    y = (x[:, 3] ** 2 + x[:, 7] ** 2 > 1.4).astype(jnp.int32)
    model = rj.models.make_model("mlp", num_outputs=2, widths=(32,))
    spec = rj.Spec(model, num_classes=2, batch_size=600, steps_per_epoch=4, epochs=300)
    penalty = rj.group_lasso(0.06, where="hidden_0.*kernel", axis="in")  # a group for each input
    hparams = rj.make_hparams(learning_rate=0.003, n_train=2400, penalties={"proximal": penalty})
    data = rj.TrainData(x[:2400], y[:2400], jnp.arange(2400), x[2400:], y[2400:])
    state = rj.fit(spec, hparams, jax.random.key(1), data).state
    used = jnp.any(state.train.params["hidden_0"]["kernel"] != 0, axis=1)
    print(f"features that are used: {jnp.flatnonzero(used).tolist()}")
    print(f"validation accuracy above 90%: {state.history.values['val/accuracy'][-1] > 0.9}")


if __name__ == "__main__":
    main()
