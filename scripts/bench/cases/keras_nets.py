"""The same training with Keras on JAX."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from cases.base import Measured, fastest, seconds


def epoch_round(
    make_layers: Callable[[Any], list[Any]], shared: Mapping[str, Any], layer_names: list[str]
) -> Callable[[], Measured]:
    """A round that trains one epoch with `model.fit` from the shared weights; ms for each update.

    Args:
      make_layers: `keras -> layers` of a sequential model.
      shared: see `cases.problems`.
      layer_names: of the shared weights, in the order of the layers that have any.
    """
    import keras
    import numpy as np

    index = shared["index"]
    x, y = shared["x"][index.reshape(-1)], shared["y"][index.reshape(-1)]
    first = [shared[f"{layer}/{leaf}"] for layer in layer_names for leaf in ("kernel", "bias")]

    def build(steps_per_execution: int) -> Any:
        model = keras.Sequential([keras.Input(x.shape[1:]), *make_layers(keras)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-8), loss, steps_per_execution=steps_per_execution)
        return model

    def fit(model: Any) -> None:
        model.fit(x, y, batch_size=index.shape[1], shuffle=False, verbose=0)

    trials = {str(n): functools.partial(fit, build(n)) for n in (1, 5)}
    chosen = int(fastest(trials, repeats=2))
    model = build(chosen)
    model.optimizer.build(model.trainable_variables)
    fresh = [np.array(variable) for variable in model.optimizer.variables]

    def one_round() -> Measured:
        model.set_weights(first)
        for variable, value in zip(model.optimizer.variables, fresh, strict=True):
            variable.assign(value)
        taken = seconds(lambda: fit(model))
        loss = model.evaluate(shared["x_val"], shared["y_val"], batch_size=len(shared["x_val"]), verbose=0)
        return Measured({f"fit, {chosen} steps an execution": 1e3 * taken / len(index)}, float(loss))

    return one_round
