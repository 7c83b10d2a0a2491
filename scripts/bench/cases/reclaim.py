"""What a sweep saves when half of its lanes stop after a tenth of their epochs."""

from __future__ import annotations

from typing import Any

from cases import sweeps
from cases.base import Case, Contender, Context, Measured, Round, seconds

EARLY = 0.1


def _lanes(context: Context) -> tuple[Any, list[Any], list[Any], int]:
    """Data, lanes that run to the end, the same with half of them stopping early, and the epochs."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import regjax as rj

    shared = context.shared
    epochs, count = context.size(50, 10), context.size(64, 4)
    arrays = [jnp.asarray(np.asarray(shared[name])) for name in ("x", "y", "x_val", "y_val")]
    order = jnp.arange(len(arrays[0]), dtype=jnp.int32)
    data = rj.TrainData(arrays[0], arrays[1], order, arrays[2], arrays[3])
    model = rj.models.make_model("mlp", num_outputs=10, widths=sweeps.SIZES[1:-1])
    steps = len(order) // sweeps.BATCH
    spec = rj.Spec(model, num_classes=10, batch_size=sweeps.BATCH, steps_per_epoch=steps, epochs=epochs)
    run = rj.make_run(spec)

    def lane(i: int, early: bool) -> Any:
        # With such a delta nothing but the first epoch is a gain, so that patience ends the lane when it may.
        stopping = rj.EarlyStopping(patience=1, min_delta=1e9, min_epochs=max(round(EARLY * epochs), 1))
        hparams = rj.make_hparams(n_train=len(order), rates={"dropout": 0.2}, stopping=stopping if early else None)
        return rj.Lane(run, hparams, jax.random.key(i))

    whole = [lane(i, False) for i in range(count)]
    return data, whole, [lane(i, i < count // 2) for i in range(count)], epochs


def ours(context: Context) -> Round:
    """`regjax.run_lanes`, lanes mapped and side by side; the quality is the mean share of epochs that the lanes ran."""
    import numpy as np

    import regjax as rj

    data, whole, half, epochs = _lanes(context)

    def one_round() -> Measured:
        results: list[Any] = []
        shares = {}
        for name, options in {"mapped": {}, "side by side": {"layout": "vmap", "workers": 1}}.items():
            full = seconds(lambda: rj.run_lanes(whole, data, **options))  # noqa: B023
            shares[name] = seconds(lambda: results.extend(rj.run_lanes(half, data, **options))) / full  # noqa: B023
        return Measured(shares, float(np.mean([r.epochs for r in results])) / epochs)

    return one_round


def vmapped(context: Context) -> Round:
    """`jax.vmap` of the same run: the loop goes on until the last lane stops."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import regjax as rj

    data, whole, half, epochs = _lanes(context)
    run = jax.jit(jax.vmap(whole[0].run.result, in_axes=(0, 0, None)))
    keys = jnp.stack([lane.key for lane in whole])

    def train(lanes: list[Any]) -> Any:
        return jax.block_until_ready(run(rj.stack_hparams([lane.hparams for lane in lanes]), keys, data))

    def one_round() -> Measured:
        results: list[Any] = []
        full = seconds(lambda: train(whole))
        part = seconds(lambda: results.append(train(half)))
        return Measured({"vmap": part / full}, float(np.mean(results[0].epochs)) / epochs)

    return one_round


CASES = {
    "early_stop_reclaim": Case(
        name="early_stop_reclaim",
        summary="time of 64 lanes of which half stop after 10% of their epochs, relative to none stopping",
        unit="share of time",
        quality="share of epochs",
        prepare=sweeps.prepare,
        rounds=3,
        headline="mapped",
        floor_value=0.5 + 0.5 * EARLY,
        contenders={"ours": Contender(ours), "jax.vmap of the run": Contender(vmapped, rounds=2)},
    )
}
