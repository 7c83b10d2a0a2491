"""What is refused before a run trains in vain: numbers to predict, and inputs, that are not what they seem."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.core.errors import InputError
from regjax.data import Dataset, as_rows, split
from regjax.training.preflight import check_targets

N = 8
KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
Y = X @ np.array([1.0, -1.0, 0.5], np.float32)
LINEAR = (lambda key, x: {"w": jnp.zeros(x.shape[-1])}, lambda params, x: x @ params["w"])
WIDE = (lambda key, x: {"w": jnp.zeros((x.shape[-1], 2))}, lambda params, x: x @ params["w"])
HPARAMS = rj.make_hparams(n_train=N)


def spec_of(task, **options):
    model = LINEAR if task == "regression" else WIDE
    return rj.Spec(model, task=task, batch_size=4, steps_per_epoch=2, epochs=1, **options)


def data(task="regression", **changes):
    y = Y if task == "regression" else (Y > 0).astype(np.int32)
    return rj.TrainData(**{"x": X, "y": y, "order": np.arange(N), "x_val": X, "y_val": y, **changes})


def streamed(spec, made):
    """The pool read from disk, the rest as it is."""
    plain = Y if spec.task == "regression" else (Y > 0).astype(np.int32)
    loader = rj.StreamLoader(as_rows("toy", X), made.y, np.arange(N))
    sound = rj.StreamLoader(as_rows("toy", X), plain, np.arange(N))
    return rj.fit(spec, HPARAMS, KEY, sound.evaluation_data(spec, made.x_val, made.y_val), loader=loader)


RUNS = {
    "fit": lambda spec, made: rj.fit(spec, HPARAMS, KEY, made),
    "sweep": lambda spec, made: rj.sweep(rj.make_run(spec), rj.stack_hparams([HPARAMS]), KEY[None], made),
    "make_run": lambda spec, made: rj.make_run(spec)(HPARAMS, KEY, made),
    "stream": streamed,
}
MASK = np.arange(N) == 3
BAD = {
    "too few": (Y[: N // 2], r"\[4\]|\b4\b.*\b8\b"),
    "too many": (np.concatenate([Y, Y]), r"\[16\]|\b16\b.*\b8\b"),
    "a column": (Y[:, None], r"\[8, 1\]"),
    "masked": (np.ma.array(Y, mask=MASK), r"\b3\b.*masked"),
    "NaN": (np.where(MASK, np.nan, Y).astype(np.float32), r"nan.*3"),
    "beyond float32": (np.where(MASK, 1e40, Y.astype(np.float64)), r"1e\+40.*3"),
    "complex": (Y + 0j, "complex"),
    "text": (Y.astype(str), "<U"),
    "objects": (Y.astype(object), "object"),
}

# The helper of streams makes JAX arrays, which refuses some of these, and its validation part.
STREAMED = ("too few", "too many", "masked", "NaN")
CASES = [(name, bad, part) for name in RUNS for bad in BAD for part in ("y", "y_val") if name != "stream"]
CASES += [("stream", bad, "y") for bad in STREAMED]


@pytest.mark.parametrize(("name", "bad", "part"), CASES)
def test_numbers_to_predict_that_are_none_for_each_example_are_refused(name, bad, part):
    """Of too few, an array would give its last for all that are missing."""
    values, said = BAD[bad]
    with pytest.raises(ValueError, match=said):
        RUNS[name](spec_of("regression"), data(**{part: values}))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8, np.int32, np.uint8, bool])
@pytest.mark.slow
def test_every_real_number_can_be_predicted(dtype):
    y = np.arange(N).astype(dtype)
    done = rj.fit(spec_of("regression"), HPARAMS, KEY, data(y=y, y_val=y))
    assert done.status == "completed"


def test_targets_that_differ_between_seeds_are_taken():
    made = data(y=np.stack([Y, -Y]), order=np.stack([np.arange(N)] * 2))
    result = rj.sweep(rj.make_run(spec_of("regression")), rj.stack_hparams([HPARAMS]), jax.random.split(KEY, 1), made)
    assert np.isfinite(np.asarray(result.history.values["val/loss"])).all()


@pytest.mark.parametrize("part", ["x", "x_val"])
@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("name", ["fit", "sweep", "make_run"])
def test_masked_inputs_are_refused(name, task, part):
    with pytest.raises(ValueError, match=rf"{part}\b.*\b3\b.*masked"):
        RUNS[name](spec_of(task), data(task, **{part: np.ma.array(X, mask=MASK[:, None] & np.ones(3, bool))}))


@pytest.mark.parametrize("part", ["x", "x_val"])
@pytest.mark.parametrize("wide", [2**32 + 1, -(2**40)])
@pytest.mark.parametrize("name", ["fit", "sweep", "make_run"])
def test_inputs_that_32_bits_do_not_hold_are_refused(name, wide, part):
    """As token 2^32 + 1, which would be token 1."""
    ids = np.where(MASK[:, None], wide, np.arange(3))
    with pytest.raises(ValueError, match=rf"{part}\b.*{wide}"):
        RUNS[name](spec_of("classification"), data("classification", **{"x": ids * 0, "x_val": ids * 0, part: ids}))


def nothing(kind):
    return np.full(N, -100, np.int32) if kind == "ignored" else np.zeros((N, 2), np.float32)


@pytest.mark.parametrize("part", ["y", "y_val"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in RUNS for kind in ("ignored", "zeros") if (name, kind) != ("stream", "zeros")],
)
def test_labels_of_which_none_counts_are_refused(name, kind, part):
    """Their loss is 0, so that the first evaluation would be the best one."""
    y = (Y > 0).astype(np.int32) if kind == "ignored" else np.eye(2, dtype=np.float32)[(Y > 0).astype(int)]
    with pytest.raises(ValueError, match=rf"{part}\b"):
        RUNS[name](spec_of("classification", ignore_index=-100), data(**{"y": y, "y_val": y, part: nothing(kind)}))


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("bad", [1.0, float("nan"), "0", True])
def test_the_ignored_index_is_an_integer(task, bad):
    with pytest.raises(ValueError, match=f"ignore_index.*{bad!r}"):
        spec_of(task, ignore_index=bad)


def test_a_regression_ignores_no_index():
    with pytest.raises(ValueError, match=r"ignore_index.*-100"):
        spec_of("regression", ignore_index=-100)
    with pytest.raises(ValueError, match=r"ignore_index.*-100"):
        rj.evaluate(lambda v, x: x[:, 0], {}, None, X, np.arange(N), task="regression", ignore_index=-100)


@pytest.mark.parametrize("weight", [np.ones(N - 1), np.ones((N, 1)), -np.ones(N), np.full(N, np.nan)])
@pytest.mark.parametrize("run", ["fit", "sweep", "make_run"])
def test_weights_that_do_not_fit_the_examples_are_refused(run, weight):
    """Too few would be read beyond their end, where JAX takes the last one."""
    made = data("classification", weight=weight.astype(np.float32))
    with pytest.raises(ValueError, match="weight"):
        RUNS[run](spec_of("classification", num_classes=2), made)


@pytest.mark.parametrize(("task", "classes", "weights"), [("classification", 2, [1.0]), ("regression", 0, [1.0, 1.0])])
def test_class_weights_that_do_not_fit_the_classes_are_refused(task, classes, weights):
    hparams = rj.make_hparams(n_train=N, class_weights=weights)
    with pytest.raises(ValueError, match="class_weights must have one number for each of the"):
        rj.fit(spec_of(task, num_classes=classes), hparams, KEY, data(task))


def test_counts_below_0_are_refused_with_their_row():
    """Named by its place in the data set, wherever the split has put it."""
    y = np.ones(40, np.float32)
    y[23] = -3.0
    for seed in range(4):
        splits = split(Dataset("visits", "regression", np.eye(40, dtype=np.float32), y), seed=seed)
        check_targets("huber", splits)
        with pytest.raises(InputError, match=r"visits: .* counts, .* row 23 \(the first is row 0\) has -3"):
            check_targets("poisson", splits)
    with pytest.raises(InputError, match="needs a target above 0"):
        check_targets("poisson", split(Dataset("none", "regression", np.eye(40, dtype=np.float32), 0 * y)))


@pytest.mark.parametrize("part", ["y", "y_val"])
def test_a_run_on_counts_below_0_is_refused(part):
    counts = np.arange(N, dtype=np.float32)
    made = data(y=counts, y_val=counts)._replace(**{part: counts - 1})
    with pytest.raises(ValueError, match=f"^{part}: targets of the loss 'poisson' must be >= 0, got -1"):
        rj.fit(spec_of("regression", loss="poisson"), HPARAMS, KEY, made)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.array([0, N]), "val_rows: rows of the pool, or -1 for none must be in"),
        (np.array([-2, 0]), "val_rows: rows of the pool, or -1 for none must be in"),
        (np.array([-1, -1]), "a seed has no validation example"),
        (np.zeros((3, 2), int), r"val_rows must have the shape \[V\]"),
    ],
)
def test_rows_that_validate_are_rows_of_the_pool(rows, words):
    made = data(x_val=X[:0], y_val=Y[:0], val_rows=rows)
    with pytest.raises(ValueError, match=words):
        rj.make_run(spec_of("regression"))(HPARAMS, KEY, made)
