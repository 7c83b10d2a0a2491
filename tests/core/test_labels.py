"""Every public function that takes class labels, over dtype, shape and range.

Integers are class indices `[...]`, floating-point numbers are distributions `[..., K]`. A concrete label that is no
class is refused by its value; a traced one counts for nothing and leaves everything finite.
"""

import dataclasses
import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax import losses
from regjax.augment.mix import MIXES
from regjax.catalog import LOSSES
from regjax.core import labels as own
from regjax.data import noisy_labels
from regjax.losses import correct, cross_entropy, focal_loss
from regjax.training.evaluate import evaluate_parts

K, N = 3, 8
KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
GOOD = np.arange(N) % K
LOGITS = RNG.normal(size=(N, K)).astype(np.float32)
X = RNG.normal(size=(N, 4)).astype(np.float32)
IMAGES = RNG.random((N, 4, 4, 1)).astype(np.float32)
MODEL = rj.models.make_model("linear", num_outputs=K)
PARAMS = MODEL.init(KEY, X)["params"]
SPEC = rj.Spec(MODEL, num_classes=K, batch_size=4, steps_per_epoch=2, epochs=1)
HPARAMS = rj.make_hparams(n_train=N)


def data(y, **changes):
    return rj.TrainData(
        **{"x": X, "y": y, "order": np.arange(N), "x_val": X, "y_val": GOOD.astype(np.int32), **changes}
    )


def mixed(name, y):
    return MIXES[name](KEY, rj.Batch(IMAGES if name == "cutmix" else X, y), 1.0, num_classes=K)


def streamed(y):
    from regjax.data import as_rows

    loader = rj.StreamLoader(as_rows("toy", X), y, np.arange(N))
    sound = rj.StreamLoader(as_rows("toy", X), GOOD.astype(np.int32), np.arange(N))
    return rj.fit(SPEC, HPARAMS, KEY, sound.evaluation_data(SPEC, X, GOOD.astype(np.int32)), loader=loader)


# What takes labels, as a function of the labels alone; those that cannot be traced are in `HOST`.
TRACED = {
    "cross_entropy": lambda y: cross_entropy(LOGITS, y),
    "focal_loss": lambda y: focal_loss(LOGITS, y),
    "correct": lambda y: correct(LOGITS, y),
    "one_hot": lambda y: own.one_hot(y, K),
    "smooth_labels": lambda y: rj.smooth_labels(y, 0.1, K),
    "smooth_labels, others": lambda y: rj.smooth_labels(y, 0.1, K, convention="others"),
    "corrupt_labels": lambda y: rj.corrupt_labels(KEY, y, 0.5, K),
    "build_loss": lambda y: rj.build_loss(MODEL.apply, "cross_entropy")(PARAMS, rj.Batch(X, y), KEY),
    "gradient": lambda y: jax.grad(lambda p: rj.build_loss(MODEL.apply, "cross_entropy")(p, rj.Batch(X, y))[0])(PARAMS),
    "evaluate": lambda y: rj.evaluate(MODEL.apply, PARAMS, None, X, y),
    "evaluate in batches": lambda y: rj.evaluate(MODEL.apply, PARAMS, None, X, y, batch_size=4),
    "make_run": lambda y: rj.make_run(SPEC)(HPARAMS, KEY, jax.tree.map(jnp.asarray, data(y, y_val=y))).train.params,
    **{name: functools.partial(mixed, name) for name in MIXES},
}
HOST = {
    "fit": lambda y: rj.fit(SPEC, HPARAMS, KEY, data(y)),
    "fit, validation": lambda y: rj.fit(SPEC, HPARAMS, KEY, data(GOOD.astype(np.int32), y_val=y)),
    "sweep": lambda y: rj.sweep(rj.make_run(SPEC), rj.stack_hparams([HPARAMS]), KEY[None], data(y)),
    "sweep, by seed": lambda y: rj.sweep(
        rj.make_run(SPEC), rj.stack_hparams([HPARAMS]), KEY[None], data(y[None], order=np.arange(N)[None])
    ),
    "fit, streamed": streamed,
    "evaluate_parts": lambda y: evaluate_parts(MODEL.apply, PARAMS, None, [(X, y)]),
    "noisy_labels": lambda y: noisy_labels(y, 0.1, K, 1),
    "Dataset": lambda y: rj.data.Dataset("toy", "classification", X, y, class_names=("a", "b", "c")),
}
EVERY = TRACED | HOST
ONLY_INT32 = {"Dataset"}  # arrays of one dtype, by contract


def test_nothing_that_takes_labels_is_left_out():
    public = [(n, f) for module in (own, losses) for n, f in vars(module).items() if n[0] != "_"]
    takes = {
        n for n, f in public if inspect.isfunction(f) and {"labels", "targets"} & set(inspect.signature(f).parameters)
    }
    parts = {"as_indices", "check_labels", "is_indices", "without_ignored", "distributions"}
    of_numbers = {losses.LOSSES[name].__name__ for name, loss in LOSSES.items() if loss.task != "classification"}
    several = {"labels_correct", "smooth_binary"}  # take rows of 0 and 1 as their argument, see `test_multilabel`
    assert takes - {name.split(",")[0] for name in EVERY} == parts | of_numbers | several
    assert set(MIXES) <= set(EVERY)


@pytest.mark.parametrize("bad", [-1, K, 2**31 - 1])
@pytest.mark.parametrize("name", EVERY)
def test_a_label_that_is_no_class_is_refused_by_its_value(name, bad):
    y = np.where(np.arange(N) == 5, bad, GOOD).astype(np.int32)
    with pytest.raises(ValueError, match=rf"\b{bad}\b" if bad >= 0 else rf"{bad}\b"):
        EVERY[name](y)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in (*ONLY_INT32, "make_run")])
def test_a_wide_integer_is_not_wrapped_into_a_class(name):
    with pytest.raises(ValueError, match=str(2**32 + 1)):
        EVERY[name](np.where(np.arange(N) == 5, 2**32 + 1, GOOD))


@pytest.mark.parametrize("name", [name for name in TRACED if name != "make_run"])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_a_wide_traced_integer_is_not_wrapped_into_a_class(name, dtype):
    """It counts for as little as any other that is no class; 2^32 would be class 0 in 32 bits."""
    with jax.enable_x64(True):
        at = np.arange(N) == 5
        wide, far = (jnp.asarray(np.where(at, k, GOOD).astype(dtype)) for k in (2**32, 2**31 - 1))
        found, expected = (jax.jit(TRACED[name])(y) for y in (wide, far))
        if name == "corrupt_labels":  # leaves what is no class as it is
            assert found[5] == 2**32
            found, expected = found.at[5].set(0), expected.at[5].set(0)
        jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("name", TRACED)
def test_a_traced_label_that_is_no_class_leaves_everything_finite(name):
    y = jnp.asarray(np.where(np.arange(N) == 5, -1, np.where(np.arange(N) == 6, K, GOOD)))
    for leaf in jax.tree.leaves(jax.jit(TRACED[name])(y)):
        assert np.isfinite(leaf).all()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int64, np.uint32])
@pytest.mark.parametrize("name", [name for name in TRACED if name != "make_run"])
def test_every_dtype_of_integers_means_the_same(name, dtype):
    found, expected = TRACED[name](GOOD.astype(dtype)), TRACED[name](GOOD.astype(np.int32))
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in MIXES])
def test_floating_point_numbers_are_no_indices(name):
    """They are distributions, which a vector is not; 0.0 and 1.0 are not taken for classes either."""
    with pytest.raises(ValueError, match=r"float32"):
        EVERY[name]((GOOD % 2).astype(np.float32))


@pytest.mark.parametrize("name", MIXES)
def test_with_a_number_of_classes_floating_point_targets_are_distributions(name):
    with pytest.raises(ValueError, match="float32"):
        mixed(name, GOOD.astype(np.float32))


@pytest.mark.parametrize(
    ("row", "found"),
    [([1.0, 2.0, 3.0], "6"), ([1.2, -0.2, 0.0], "-0.2"), ([np.nan, 0, 1], "nan"), ([0.3, 0, 0], "0.3")],
)
@pytest.mark.parametrize(
    "name", ["cross_entropy", "correct", "one_hot", "smooth_labels", "build_loss", "evaluate", "fit", "sweep", *MIXES]
)
def test_what_is_no_distribution_is_refused(name, row, found):
    y = np.eye(K, dtype=np.float32)[GOOD]
    y[2] = row
    with pytest.raises(ValueError, match=found):
        EVERY[name](y)


@pytest.mark.parametrize("name", ["cross_entropy", "correct", "build_loss", "evaluate", "fit", "sweep"])
def test_one_hot_integers_are_refused_with_the_way_out(name):
    with pytest.raises(ValueError, match=r"floating point"):
        EVERY[name](np.eye(K, dtype=np.int32)[GOOD])


@pytest.mark.parametrize("name", [name for name in TRACED if name not in ("corrupt_labels",)])
def test_distributions_give_what_indices_give(name):
    found, expected = TRACED[name](np.eye(K, dtype=np.float32)[GOOD]), TRACED[name](GOOD.astype(np.int32))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), found, expected)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "make_run"])
@pytest.mark.parametrize("bad", ["text", "complex", "objects"])
def test_labels_that_are_no_numbers_are_refused_by_their_dtype(name, bad):
    y = {"text": np.array(["a", "b"] * (N // 2)), "complex": np.eye(K)[GOOD] + 0j, "objects": np.array([None] * N)}[bad]
    with pytest.raises(ValueError, match=str(y.dtype)):
        EVERY[name](y)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in (*ONLY_INT32, "make_run", "noisy_labels")])
def test_masked_labels_are_refused(name):
    y = np.ma.array(GOOD.astype(np.int32), mask=np.arange(N) == 3)
    with pytest.raises(ValueError, match=r"masked.*3"):
        EVERY[name](y)


@pytest.mark.parametrize("ignored", [-100, *range(K)])
def test_noise_makes_no_label_an_ignored_one(ignored):
    """At rate 1 each of the others becomes one of the rest, equally often; false alarm below 1e-6."""
    labels = jnp.asarray(np.where(np.arange(6000) % 3 == 0, ignored, np.arange(6000) % 4), jnp.int32)
    found = np.asarray(rj.corrupt_labels(KEY, labels, 1.0, 4, ignore_index=ignored))
    left = np.asarray(labels) == ignored
    np.testing.assert_array_equal(found[left], ignored)
    rest = [k for k in range(4) if k != ignored]
    for k in rest:
        counts = np.bincount(found[~left & (np.asarray(labels) == k)], minlength=4)
        assert counts[k] == 0
        assert counts[rest].sum() == counts.sum()
        each = counts[[j for j in rest if j != k]]
        assert abs(each - each.mean()).max() < 5 * np.sqrt(each.mean())


def test_noise_needs_a_class_to_go_to():
    with pytest.raises(ValueError, match="ignore_index"):
        rj.corrupt_labels(KEY, jnp.array([0, 1]), 1.0, 2, ignore_index=0)


def test_labels_may_be_lists():
    for name in ("one_hot", "smooth_labels", "cross_entropy", "correct", "corrupt_labels", "build_loss", "evaluate"):
        jax.tree.map(np.testing.assert_array_equal, TRACED[name](GOOD.tolist()), TRACED[name](GOOD))


@pytest.mark.parametrize(
    ("order", "n_train", "said"),
    [(np.arange(N) + 1, N, str(N)), (np.arange(N) - 1, N, "-1"), (np.arange(N), N + 1, str(N + 1))],
)
def test_an_order_of_examples_that_are_not_there_is_refused(order, n_train, said):
    made, hparams = data(GOOD.astype(np.int32), order=order), rj.make_hparams(n_train=n_train)
    for call in (
        lambda: rj.fit(SPEC, hparams, KEY, made),
        lambda: rj.sweep(rj.make_run(SPEC), rj.stack_hparams([hparams]), KEY[None], made),
        lambda: rj.make_run(SPEC)(hparams, KEY, made),
    ):
        with pytest.raises(ValueError, match=said):
            call()


def test_labels_of_two_kinds_do_not_make_one_run():
    with pytest.raises(ValueError, match="distributions"):
        rj.fit(SPEC, HPARAMS, KEY, data(np.eye(K, dtype=np.float32)[GOOD]))


ONE = np.zeros((N, 1), np.float32)
ONE_OUTPUT = rj.models.make_model("linear", num_outputs=1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: cross_entropy(ONE, np.zeros(N, np.int32)),
        lambda: correct(ONE, np.zeros(N, np.int32)),
        lambda: rj.mc_predict(lambda v, x: x, {}, ONE, KEY, 2),
        lambda: rj.mc_predict(lambda v, x: x[:, 0], {}, X, KEY, 2),
        lambda: rj.ensemble_outputs(ONE[None], 1),
        lambda: rj.ensemble_outputs(LOGITS, 1),
        lambda: rj.evaluate(lambda v, x: x, {}, None, ONE, np.zeros(N, np.int32)),
        lambda: rj.fit(dataclasses.replace(SPEC, model=ONE_OUTPUT), HPARAMS, KEY, data(GOOD)),
    ],
    ids=[
        "cross_entropy",
        "correct",
        "mc_predict",
        "mc_predict [B]",
        "ensemble_outputs",
        "ensemble [B, K]",
        "evaluate",
        "fit",
    ],
)
def test_a_softmax_over_one_class_is_refused(call):
    with pytest.raises(ValueError, match=r"at least 2 classes, got shape \((8, 1|8,|1, 8, 1|8, 3|1, 1)\)"):
        call()
