"""The work that contenders share: data, order of the batches and first weights, made once and given to all."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from cases.base import Context, Program


def clusters(examples: int, shape: tuple[int, ...], classes: int = 10) -> tuple[Any, Any]:
    """Standard normal examples around a centre for each class, `float32[N, ...]` and `int32[N]`."""
    import numpy as np

    rng = np.random.default_rng(0)
    y = rng.integers(classes, size=examples).astype(np.int32)
    centres = 0.15 * rng.standard_normal((classes, *shape), np.float32)
    return centres[y] + rng.standard_normal((examples, *shape), np.float32), y


def training_problem(model: Any, shape: tuple[int, ...], batch_size: int, steps: int, held_out: int) -> dict[str, Any]:
    """Arrays of one epoch of training: data, `index` (the rows of each batch, as regjax draws them) and weights.

    The weights are named `layer/kernel`, `layer/bias`, ..., and the batch statistics `layer/mean` and `layer/var`.
    """
    import jax
    import numpy as np

    from regjax.core.rng import stream
    from regjax.data.shuffle import shuffled_indices
    from regjax.training.program import init_weights
    from regjax.training.spec import Spec

    count = 4096
    x, y = clusters(count + held_out, shape)
    key = jax.random.key(0)
    index = shuffled_indices(stream(key, "shuffle"), 0, steps * batch_size, count)
    first = init_weights(Spec(model), key, x[:1])
    layers = [*first.params.items(), *first.model_state.get("batch_stats", {}).items()]
    weights = {f"{layer}/{name}": value for layer, leaves in layers for name, value in leaves.items()}
    return {
        "x": x[:count],
        "y": y[:count],
        "x_val": x[count:],
        "y_val": y[count:],
        "index": np.asarray(index).reshape(steps, batch_size),
        **{name: np.asarray(value) for name, value in weights.items()},
    }


def jax_weights(shared: Mapping[str, Any]) -> Any:
    """The first weights as regjax takes them."""
    import jax.numpy as jnp

    from regjax.training.state import Weights

    params: dict[str, dict[str, Any]] = {}
    statistics: dict[str, dict[str, Any]] = {}
    for name in shared:
        layer, _, leaf = name.partition("/")
        if leaf:
            tree = statistics if leaf in ("mean", "var") else params
            tree.setdefault(layer, {})[leaf] = jnp.asarray(shared[name])
    return Weights(params, {"batch_stats": statistics} if statistics else {})


def jax_data(shared: Mapping[str, Any]) -> Any:
    """The arrays as regjax takes them."""
    import jax.numpy as jnp

    from regjax.training.state import TrainData

    order = jnp.arange(len(shared["x"]), dtype=jnp.int32)
    arrays = [jnp.asarray(shared[name]) for name in ("x", "y", "x_val", "y_val")]
    return TrainData(arrays[0], arrays[1], order, arrays[2], arrays[3])


def matmul_floor(products: list[tuple[tuple[int, ...], tuple[int, ...], str]], per: float = 1e-3) -> Any:
    """The round of a floor: these matrix products and nothing else, by XLA and by NumPy; the faster one counts.

    Args:
      products: `(shape of a, shape of b, kind)` with kind `"ab"`, `"atb"` (of the gradient of a weight) or `"abt"`
        (of the gradient of an input).
      per: seconds in a unit of the case.
    """
    import jax
    import numpy as np

    from cases.base import Measured, seconds

    rng = np.random.default_rng(0)
    pairs = [(rng.standard_normal(a, np.float32), rng.standard_normal(b, np.float32)) for a, b, _ in products]
    kinds = [kind for *_, kind in products]

    def multiply(pairs: Any) -> list[Any]:
        forms = {"ab": lambda a, b: a @ b, "atb": lambda a, b: a.T @ b, "abt": lambda a, b: a @ b.T}
        return [forms[kind](a, b) for kind, (a, b) in zip(kinds, pairs, strict=True)]

    compiled, on_device = jax.jit(multiply), jax.device_put(pairs)

    def one_round(repeats: int = 20) -> Measured:
        by_xla = seconds(lambda: [jax.block_until_ready(compiled(on_device)) for _ in range(repeats)])
        by_numpy = seconds(lambda: [multiply(pairs) for _ in range(repeats)])
        return Measured({"xla": by_xla / repeats / per, "numpy": by_numpy / repeats / per})

    return one_round


def dense_floor(batch: int, sizes: tuple[int, ...], steps: int = 20) -> Any:
    """The round of a floor in ms for each update: the matrix products of dense layers, forward and backward.

    By XLA in a scan that writes into the same buffers (no allocation, no activation, no update), and by NumPy.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    from cases.base import Measured, seconds

    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(pair, np.float32) / pair[0] ** 0.5 for pair in itertools.pairwise(sizes)]
    xs = rng.standard_normal((steps, batch, sizes[0]), np.float32)

    def products(x: Any, weights: Any) -> list[Any]:
        seen = [x]
        for w in weights:
            seen.append(seen[-1] @ w)
        back, gradients = seen.pop(), []
        for i in reversed(range(len(weights))):
            gradients.append(seen[i].T @ back)
            back = back @ weights[i].T if i else back
        return gradients

    @jax.jit
    def compiled(xs: Any, weights: Any) -> Any:
        zeros = [jnp.zeros_like(w) for w in reversed(weights)]
        return jax.lax.scan(lambda _, x: (products(x, weights), None), zeros, xs)[0]

    on_device = jax.device_put((xs, weights))

    def one_round() -> Measured:
        by_xla = seconds(lambda: jax.block_until_ready(compiled(*on_device)))
        by_numpy = seconds(lambda: [products(x, weights) for x in xs])
        return Measured({"xla": 1e3 * by_xla / steps, "numpy": 1e3 * by_numpy / steps})

    return one_round


def epoch_program(
    context: Context, model: Any, batch_size: int, *, optimizer: str = "adam", **hyperparameters: Any
) -> Program:
    """The program that trains one epoch with `regjax.make_run`, from the shared weights."""
    import jax

    from regjax.training.run import make_run
    from regjax.training.spec import Spec, make_hparams

    shared = context.shared
    spec = Spec(
        model,
        num_classes=10,
        batch_size=batch_size,
        steps_per_epoch=len(shared["index"]),
        eval_train_examples=batch_size,
        optimizer=optimizer,
    )
    hparams = make_hparams(n_train=len(shared["x"]), **hyperparameters)
    arguments = (hparams, jax.random.key(0), jax_data(shared), 0, jax_weights(shared))
    steps = len(shared["index"])
    return Program(jax.jit(make_run(spec)), arguments, steps, f"an epoch of {steps} updates of {context.case}")


def timed_epoch(train: Any, steps: int) -> Any:
    """The round of ours, from `ours_epoch`: ms for each update, and the validation loss after them."""
    from cases.base import Measured, timed

    def one_round() -> Measured:
        taken, state = timed(train)
        return Measured({"run": 1e3 * taken / steps}, float(state.history.values["val/loss"][0]))

    return one_round


def ours_epoch(context: Context, model: Any, batch_size: int, **options: Any) -> Any:
    """A function that runs `epoch_program`, all of it compiled, and returns the `RunState`."""
    import jax

    run, arguments, *_ = epoch_program(context, model, batch_size, **options)
    return lambda: jax.block_until_ready(run(*arguments))
