"""The triangle: run == fit, interrupted and resumed == uninterrupted, lane i == the same run alone. All bitwise."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.stopping import REASONS
from regjax.sweeps.programs import train_lane
from regjax.training.checkpoint import Checkpoints
from regjax.training.events import Started
from regjax.training.fit import history_row
from tests.helpers import assert_trees_equal
from tests.training.recorder import Recorder

pytestmark = pytest.mark.slow

SETTINGS = {
    "plain": {},
    "l2": {"penalties": {"loss": rj.l2(0.01)}},
    "everything": {
        "penalties": {
            "loss": rj.l2(0.01),
            "decoupled": rj.l2(0.01, where="output"),
            "proximal": rj.l1(0.001),
        },
        "rates": {"dropout": 0.3, "input_dropout": 0.1},
        "augment": 0.5,
        "label_smoothing": 0.1,
        "mixup": 0.2,
        "cutmix": 0.2,
        "stopping": rj.EarlyStopping(patience=2),
        "restore_best": True,
    },
    "averaged": {"average": rj.ema(0.9), "constraint": rj.max_norm(1.0), "sam": 0.05, "restore_best": True},
    "outputs": {
        "output_penalties": (rj.confidence(0.1), rj.r_drop(0.5), rj.activity_l2(1e-3)),
        "rates": {"gaussian_noise": 0.2, "drop_connect": 0.1},
        "gradient_noise": 0.01,
    },
    "start": {"penalties": {"loss": rj.l2_to("start", 0.1), "proximal": rj.l1(0.001)}},
    "snapshots": {"average": rj.snapshots(2, 7), "restore_best": True},
    "lookahead": {"average": rj.lookahead(4), "penalties": {"coupled": rj.group_lasso(0.01)}},
}
SETTINGS["everything"]["penalties"].pop("decoupled")


@pytest.fixture(scope="module")
def noisy(spec):
    return dataclasses.replace(spec, augmentation=rj.augment.make("noise=0.2"))


def hparams(name, **changes):
    return rj.make_hparams(**{"learning_rate": 0.02, "n_train": 80, **SETTINGS[name], **changes})


@pytest.mark.parametrize("name", SETTINGS)
def test_run_equals_fit(noisy, blobs, name):
    alone = jax.jit(rj.make_run(noisy))(hparams(name), jax.random.key(1), blobs, 1)
    fitted = rj.fit(noisy, hparams(name), jax.random.key(1), blobs.for_seed(1))
    assert_trees_equal(alone, fitted.state)


@pytest.mark.parametrize("asked", [2, 3])
@pytest.mark.parametrize("name", SETTINGS)
def test_interrupted_and_resumed_equals_uninterrupted(noisy, blobs, name, asked, tmp_path):
    """The first two blocks are updates of their own, so the interruption comes inside the first epoch, or after it."""
    data, calls = blobs.for_seed(0), []

    def interrupt():
        calls.append(1)
        return len(calls) == asked

    train = functools.partial(rj.fit, noisy, hparams(name), jax.random.key(2), data)
    whole = train()
    first = train(checkpoints=Checkpoints(tmp_path), interrupted=interrupt)
    assert (first.status, int(first.state.train.step), int(first.state.epoch)) == ("interrupted", asked, asked // 3)
    recorder = Recorder()
    second = train(checkpoints=Checkpoints(tmp_path), callbacks=[recorder])
    assert [event.epochs for event in recorder.of(Started)] == [asked // 3]
    assert_trees_equal(whole.state, second.state)
    assert_trees_equal(whole.weights, second.weights)


@pytest.mark.parametrize("name", SETTINGS)
def test_each_lane_equals_the_run_alone(noisy, blobs, name):
    rates, keys, seeds = (0.01, 0.02, 0.05), jax.random.split(jax.random.key(3), 3), [0, 1, 0]
    run, points = rj.make_run(noisy), [hparams(name, learning_rate=rate) for rate in rates]
    swept = rj.sweep(run, rj.stack_hparams(points), keys, blobs, seeds=seeds, workers=2)
    for i, point in enumerate(points):
        # The host loop is the compiled run, which another test holds; its programs are there already.
        alone = run.result_of(rj.fit(noisy, point, keys[i], blobs.for_seed(seeds[i])).state, point)
        assert_trees_equal(jax.tree.map(lambda leaf: leaf[i], swept), alone)  # noqa: B023


def test_vmapped_lanes_agree_within_rounding(noisy, blobs):
    """Vmap sums in another order: measured differences are near 1e-7 after these 18 updates."""
    points = rj.stack_hparams([hparams("l2", learning_rate=rate) for rate in (0.01, 0.02, 0.05)])
    keys, run = jax.random.split(jax.random.key(3), 3), rj.make_run(noisy)
    mapped = rj.sweep(run, points, keys, blobs, layout="map")
    vmapped = rj.sweep(run, points, keys, blobs, layout="vmap", chunk=2)
    assert_trees_equal(vmapped.weights, mapped.weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(vmapped.epochs, mapped.epochs)


def test_no_number_recompiles(noisy, blobs):
    run = rj.make_run(noisy)
    before = train_lane._cache_size()
    points = [
        hparams(
            "everything",
            learning_rate=0.01 * (i + 1),
            n_train=40 + i,
            penalties={"loss": rj.l2(0.1 * i), "proximal": rj.l1(0.01 * i)},
            rates={"dropout": 0.2 * i, "input_dropout": 0.1 * i},
            augment=0.1 * i,
            label_smoothing=0.1 * i,
            mixup=0.3 * i,
            cutmix=0.3 * i,
            stopping=rj.EarlyStopping(patience=i, min_delta=0.1 * i),
            restore_best=bool(i % 2),
        )
        for i in range(4)
    ]
    rj.sweep(run, rj.stack_hparams(points), jax.random.split(jax.random.key(0), 4), blobs, seeds=[0, 1, 0, 1])
    assert train_lane._cache_size() - before <= 1
    # An equal spec is the same program, also when it was built again.
    rj.sweep(rj.make_run(noisy), rj.stack_hparams(points[:1]), jax.random.split(jax.random.key(9), 1), blobs)
    assert train_lane._cache_size() - before <= 1


def test_strength_zero_equals_absence_within_rounding(spec, blobs):
    run = jax.jit(rj.make_run(spec))
    base = rj.make_hparams(learning_rate=0.02, n_train=80)
    zero = rj.make_hparams(
        learning_rate=0.02,
        n_train=80,
        penalties={"loss": rj.l2(0.0), "proximal": rj.l1(0.0)},
        rates={"dropout": 0.0},
        mixup=0.0,
        cutmix=0.0,
    )
    one, other = (run(h, jax.random.key(0), blobs).train.params for h in (base, zero))
    assert_trees_equal(one, other, rtol=1e-4, atol=1e-5)


def test_early_stopping_ends_the_run_and_restores_the_best(spec, blobs):
    stopping = rj.EarlyStopping(patience=1, min_delta=10.0)  # nothing is a gain after the first epoch
    result = jax.jit(rj.make_run(spec).result)(
        rj.make_hparams(learning_rate=0.05, n_train=80, stopping=stopping, restore_best=True),
        jax.random.key(0),
        blobs,
    )
    assert int(result.epochs) == 2
    assert result.history.valid.tolist() == [True, True, False, False, False, False]
    losses = result.history.values["val/loss"]
    assert int(result.best_epoch) == int(np.nanargmin(losses))
    assert float(result.best_value) == float(np.nanmin(losses))
    model = spec.model
    measured = rj.evaluate(model.apply, *result.weights, blobs.x_val, blobs.y_val)
    np.testing.assert_allclose(measured["loss"], result.best_value, rtol=1e-6)


def test_a_nan_ends_the_lane_and_only_that_lane(spec, blobs):
    run, keys = rj.make_run(spec), jax.random.split(jax.random.key(0), 3)
    rates = [rj.make_hparams(learning_rate=rate, n_train=80) for rate in (0.01, 1e30, 0.02)]
    swept = rj.sweep(run, rj.stack_hparams(rates), keys, blobs)
    assert [REASONS[reason] for reason in swept.reason] == ["running", "diverged", "running"]
    assert np.isfinite(swept.history.values["val/loss"][[0, 2]]).all()
    assert rj.fit(spec, rates[1], keys[1], blobs.for_seed(0)).status == "diverged"


@pytest.mark.parametrize("restore_best", [False, True])
def test_fit_compiles_three_programs_and_no_more(spec, blobs, restore_best):
    from regjax.training.compilations import CompilationCounter

    data, key = blobs.for_seed(0), jax.random.key(0)
    hp = rj.make_hparams(learning_rate=0.02, n_train=80, restore_best=restore_best)
    jax.clear_caches()
    with CompilationCounter() as counter:
        result = rj.fit(spec, hp, key, data, callbacks=[Recorder()])
    assert counter.count == 3  # initialization, updates, the end of an epoch
    assert_trees_equal(result.weights, result.state.weights(hp))


def test_history_is_measured_on_clean_data_without_penalties(spec, blobs):
    result = rj.fit(spec, hparams("l2"), jax.random.key(0), blobs.for_seed(0))
    row = history_row(result.state, int(result.state.epoch) - 1)
    params = result.state.train.params
    data = blobs.for_seed(0)
    used = np.asarray(data.order)[:80]
    clean = rj.evaluate(spec.model.apply, params, {}, data.x[used], data.y[used])
    np.testing.assert_allclose(row["train/data_loss"], clean["loss"], rtol=1e-5)
    np.testing.assert_allclose(row["train/penalty"], rj.l2(0.01).value(params), rtol=1e-5)
    np.testing.assert_allclose(row["train/loss"], row["train/data_loss"] + row["train/penalty"], rtol=1e-6)
    validation = rj.evaluate(spec.model.apply, params, {}, data.x_val, data.y_val)
    np.testing.assert_allclose(row["val/loss"], validation["loss"], rtol=1e-5)


def test_the_schedule_shapes_the_learning_rate(spec, blobs):
    for schedule, last in (
        ("constant", 0.02),
        ("linear", 0.02 / 18),
        ("cosine", 0.02 * (1 + np.cos(np.pi * 17 / 18)) / 2),
    ):
        shaped = dataclasses.replace(spec, schedule=schedule)
        state = rj.fit(shaped, hparams("plain"), jax.random.key(0), blobs.for_seed(0)).state
        np.testing.assert_allclose(history_row(state, 5)["learning_rate"], last, rtol=1e-4)


def test_proximal_run_has_exact_zeros_and_loss_run_has_none(spec, blobs):
    from regjax.analysis.weights import zero_fraction

    def zeros(mode):
        h = rj.make_hparams(learning_rate=0.02, n_train=80, penalties={mode: rj.l1(0.02)})
        return zero_fraction(rj.fit(spec, h, jax.random.key(0), blobs.for_seed(0)).weights.params)

    assert zeros("proximal") > 0.1
    assert zeros("loss") == 0


def test_a_custom_optimizer_and_a_pair_of_functions(blobs):
    import optax

    pair = (
        lambda key, x: {"w": 0.1 * jax.random.normal(key, (x.shape[1], 2))},
        lambda params, x: x @ params["w"],
    )
    spec = rj.Spec(pair, num_classes=2, batch_size=16, steps_per_epoch=5, epochs=10)
    run = rj.make_run(spec, make_tx=make_rmsprop)
    state = jax.jit(run)(rj.make_hparams(learning_rate=0.02, n_train=96), jax.random.key(0), blobs)
    assert float(state.history.values["val/accuracy"][-1]) > 0.7
    assert isinstance(state.train.opt_state[0], optax.ScaleByRmsState)


def make_rmsprop(hparams):
    import optax

    return optax.rmsprop(hparams.learning_rate)


def test_batch_statistics_are_carried_along(blobs):
    import flax.linen as nn

    class Normed(nn.Module):
        @nn.compact
        def __call__(self, x, train=False):
            return nn.Dense(2)(nn.BatchNorm(use_running_average=not train)(x))

    spec = rj.Spec(Normed(), num_classes=2, batch_size=16, steps_per_epoch=5, epochs=4)
    result = jax.jit(rj.make_run(spec).result)(
        rj.make_hparams(learning_rate=0.05, n_train=96), jax.random.key(0), blobs
    )
    mean = result.weights.model_state["batch_stats"]["BatchNorm_0"]["mean"]
    assert float(jnp.abs(mean).max()) > 0


def test_sweep_refuses_lengths_that_differ(spec, blobs):
    points = rj.stack_hparams([hparams("plain")] * 2)
    with pytest.raises(ValueError, match="need one length"):
        rj.sweep(rj.make_run(spec), points, jax.random.split(jax.random.key(0), 3), blobs)
    with pytest.raises(ValueError, match="2 different sets of regularizers"):
        rj.stack_hparams([hparams("plain"), hparams("l2")])


def test_an_error_in_one_lane_ends_the_sweep(spec, blobs):
    def on_done(index, result, seconds):
        raise RuntimeError("stop here")

    with pytest.raises(RuntimeError, match="stop here"):
        rj.sweep(
            rj.make_run(spec),
            rj.stack_hparams([hparams("plain")] * 4),
            jax.random.split(jax.random.key(0), 4),
            blobs,
            on_done=on_done,
        )


def test_averaged_weights_are_evaluated_and_kept(spec, blobs):
    """The averaged weights of a run are those of the same updates with the average kept outside."""
    rule = rj.ema(0.9)
    state = jax.jit(rj.make_run(spec))(hparams("plain", average=rule), jax.random.key(1), blobs, 0)
    plain = jax.jit(rj.make_run(spec))(hparams("plain"), jax.random.key(1), blobs, 0)
    np.testing.assert_array_equal(
        jax.tree.leaves(state.train.params)[0], jax.tree.leaves(plain.train.params)[0]
    )  # the training itself is the same
    kept = state.weights(hparams("plain")).params
    assert_trees_equal(kept, state.averages.average.params)
    assert not np.array_equal(jax.tree.leaves(kept)[0], jax.tree.leaves(plain.train.params)[0])
    from regjax.models.interface import as_model

    data = blobs.for_seed(0)
    val = rj.evaluate(as_model(spec.model).apply, kept, {}, data.x_val, data.y_val)
    np.testing.assert_allclose(state.history.values["val/loss"][-1], val["loss"], rtol=1e-5)


def test_snapshots_cycle_the_learning_rate_and_evaluate_their_ensemble(spec, blobs):
    """The members are the weights of plain runs that are cut at the ends of the cycles."""
    run, data = rj.make_run(spec), blobs.for_seed(0)
    period = spec.total_steps // 4
    state = jax.jit(run)(hparams("plain", average=rj.snapshots(2, period)), jax.random.key(1), blobs, 0)
    rate = rj.snapshot_schedule(0.02, period)
    steps = np.arange(1, spec.epochs + 1) * spec.steps_per_epoch - 1
    np.testing.assert_allclose(state.history.values["learning_rate"], [rate(t) for t in steps], rtol=1e-5)

    kept = state.weights(hparams("plain"))
    assert int(kept.params.taken) == 2
    every = jax.tree.map(lambda m: np.asarray(m), kept.params.members)
    members = [jax.tree.map(lambda m, i=i: m[i], every) for i in range(2)]
    cut = dataclasses.replace(spec, steps_per_epoch=period, epochs=2)
    states = jax.jit(rj.make_run(cut))(hparams("plain", average=rj.snapshots(2, period)), jax.random.key(1), blobs, 0)
    for member, other in zip(members, [0, 1], strict=True):
        chosen = jax.tree.map(lambda m, i=other: m[i], states.weights(hparams("plain")).params.members)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), member, chosen)
    mean = np.mean([jax.nn.softmax(spec.model.apply({"params": m}, data.x_val)) for m in members], axis=0)
    expected = -np.mean(np.log(mean[np.arange(len(data.y_val)), data.y_val]))
    np.testing.assert_allclose(state.history.values["val/loss"][-1], expected, rtol=1e-5)

    one = jax.jit(run)(hparams("plain", average=rj.snapshots(3, 10**6)), jax.random.key(1), blobs, 0)
    assert_trees_equal(jax.tree.map(lambda m: m[0], one.weights(hparams("plain")).params.members), one.train.params)
    cosine = dataclasses.replace(spec, schedule="cosine")
    with pytest.raises(ValueError, match="snapshots has cycles of its own"):
        rj.make_run(cosine)(hparams("plain", average=rj.snapshots(2, 5)), jax.random.key(1), blobs, 0)


@pytest.mark.parametrize("average", [None, rj.ema(0.9), rj.snapshots(2, 5)])
def test_batch_statistics_are_trained_averaged_kept_and_evaluated(spec, blobs, average):
    """What is kept belongs together: its own statistics give the validation loss of the history."""
    model = rj.models.make_model("mlp", num_outputs=2, widths=(16,), batch_norm=True)
    normed = dataclasses.replace(spec, model=model)
    hp = hparams("plain", average=average)
    state = jax.jit(rj.make_run(normed))(hp, jax.random.key(1), blobs, 0)
    assert_trees_equal(state, rj.fit(normed, hp, jax.random.key(1), blobs.for_seed(0)).state)
    kept = state.weights(hp)
    statistics = jax.tree.leaves(kept.model_state)
    assert len(statistics) == 2
    assert all(np.isfinite(leaf).all() for leaf in statistics)
    assert np.array_equal(statistics[0], jax.tree.leaves(state.train.model_state)[0]) == (average is None)
    data = blobs.for_seed(0)
    found = rj.evaluate(model.apply, *kept, data.x_val, data.y_val)
    np.testing.assert_allclose(state.history.values["val/loss"][-1], found["loss"], rtol=1e-5)


def test_constraints_hold_at_the_end_of_a_run(spec, blobs):
    state = jax.jit(rj.make_run(spec))(hparams("plain", constraint=rj.box(-0.05, 0.05)), jax.random.key(1), blobs, 0)
    weights = [np.asarray(w) for w in jax.tree.leaves(state.train.params) if w.ndim == 2]
    assert max(np.abs(w).max() for w in weights) == np.float32(0.05)


def test_an_average_ends_inside_the_constraint(spec, blobs):
    """The mean of unit vectors is shorter than 1; what is kept is projected."""
    hp = hparams("plain", constraint=rj.unit_norm(), average=rj.swa(5))
    kept = jax.jit(rj.make_run(spec))(hp, jax.random.key(1), blobs, 0).weights(hp).params
    for leaf in jax.tree.leaves(kept):
        if leaf.ndim == 2:
            np.testing.assert_allclose(np.linalg.norm(leaf, axis=0), 1.0, rtol=1e-6)


@pytest.mark.parametrize("warm", [False, True])
def test_l2_to_the_start_pulls_back_to_it(spec, blobs, warm):
    """With a large strength the weights end where they began, whether that was random or given."""
    hp = hparams("plain", penalties={"loss": rj.l2_to("start", 100.0)}, learning_rate=1e-3)
    key = jax.random.key(1)
    weights = rj.Weights(rj.init_weights(spec, jax.random.key(9), blobs.x[:1]).params, {}) if warm else None
    start = (weights or rj.init_weights(spec, key, blobs.x[:1])).params
    moved = jax.jit(rj.make_run(spec))(hparams("plain"), key, blobs, 0, weights).train.params
    held = jax.jit(rj.make_run(spec))(hp, key, blobs, 0, weights).train.params

    def distance(params):
        kernels = [(a, b) for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(start), strict=True) if a.ndim == 2]
        return max(float(np.abs(a - b).max()) for a, b in kernels)

    assert distance(held) < 0.02 < 0.1 < distance(moved)
    with pytest.raises(ValueError, match="'start' is known in a training run only"):
        rj.l2_to("start", 1.0).value(start)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (SETTINGS["averaged"], {"average": rj.ema(0.5), "constraint": rj.max_norm(2.0), "sam": 0.1}),
        ({"average": rj.swa(5, 2)}, {"average": rj.swa(7, 3)}),
        ({"average": rj.snapshots(2, 7)}, {"average": rj.snapshots(2, 5)}),
        ({"average": rj.lookahead(4)}, {"average": rj.lookahead(2, 0.3)}),
    ],
    ids=["ema, constraint and sam", "swa", "snapshots", "lookahead"],
)
def test_numbers_of_averages_constraints_and_sam_do_not_recompile(spec, blobs, first, second):
    run = jax.jit(rj.make_run(spec))
    for hp in (hparams("plain", **first), hparams("plain", **second)):
        run(hp, jax.random.key(1), blobs, 0)
    assert run._cache_size() == 1
