"""Numbers whose differences float32 does not hold are refused, wherever they come from; right ones are taken."""

import contextlib
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regjax.core.errors import InputError
from regjax.data import Preprocessor, from_arrays, load, read_inputs
from regjax.data.float32 import check_float32
from tests.data.sets import make_set

N = 40
SECONDS = 1.7e9 + np.arange(N) % 7  # float32 holds 1.7e9 to within 64
PLAIN = np.arange(N) / 4
LABELS = np.array(["a", "b"] * (N // 2))


def columns(numbers):
    return np.stack([np.arange(N) if numbers.dtype.kind == "i" else PLAIN, numbers], axis=-1)


def save(tmp_path, **arrays):
    np.savez(tmp_path / "toy.npz", **arrays)
    return tmp_path / "toy.npz"


def write(tmp_path, name="toy.csv", **cells):
    lines = [",".join(cells), *(",".join(map(str, row)) for row in zip(*cells.values(), strict=True))]
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path / name


SOURCES = {  # how numbers become one of two columns, the only one, or the target
    "table": lambda path, v: from_arrays(columns(v), LABELS),
    "sequences": lambda path, v: from_arrays(np.repeat(columns(v)[:, None], 3, axis=1), LABELS),
    "npz": lambda path, v: load(save(path, x=columns(v), y=LABELS)),
    "npz_vector": lambda path, v: load(save(path, x=v, y=LABELS)),
    "npz_test": lambda path, v: load(save(path, x=columns(v), y=LABELS, x_test=columns(v)[:3], y_test=LABELS[:3])),
    "npz_lazy": lambda path, v: load(save(path, x=columns(v), y=LABELS), lazy=True),
    "npz_lazy_vector": lambda path, v: load(save(path, x=v, y=LABELS), lazy=True),
    "csv": lambda path, v: load(write(path, a=PLAIN, b=v, target=LABELS)),
    "csv_lazy": lambda path, v: load(write(path, a=PLAIN, b=v, target=LABELS), lazy=True),
    "target": lambda path, v: from_arrays(columns(PLAIN), v, task="regression"),
    "targets": lambda path, v: from_arrays(columns(PLAIN), columns(v), task="regression"),
    "npz_target": lambda path, v: load(save(path, x=columns(PLAIN), y=v), task="regression"),
    "csv_target": lambda path, v: load(write(path, a=PLAIN, target=v), task="regression"),
}
NEAR_2_TO_53 = 2**53 + np.arange(N) % 2  # float64 cannot tell these apart


@pytest.mark.parametrize("numbers", [SECONDS, SECONDS.astype(np.int64), NEAR_2_TO_53, NEAR_2_TO_53 + 2**61])
@pytest.mark.parametrize("source", SOURCES)
def test_numbers_that_float32_merges_are_refused(tmp_path, source, numbers):
    if source in ("table", "sequences") and numbers.dtype.kind == "i":
        numbers = SECONDS  # whole numbers are token ids there, which stay what they are
    with pytest.raises(InputError, match="float32"):
        SOURCES[source](tmp_path, numbers)


@pytest.mark.parametrize("number", [1e300, 1e39, -1e39])
@pytest.mark.parametrize("source", [*SOURCES, "images"])
def test_numbers_beyond_float32_are_refused_with_the_number(tmp_path, source, number):
    """And without a warning of NumPy, which the suite takes for an error."""
    make = (SOURCES | {"images": lambda path, v: from_arrays(np.tile(v[:, None, None, None], (1, 4, 4, 1)), LABELS)})[
        source
    ]
    with pytest.raises(InputError, match=re.escape(f"{number:g}")):
        make(tmp_path, np.where(np.arange(N) == 3, number, PLAIN))


@pytest.mark.parametrize(
    "numbers",
    [
        PLAIN,
        np.full(N, 1.7e9),
        1e6 + PLAIN,
        1.7e9 + 1e6 * np.arange(N),
        1e-30 * PLAIN,
        np.where(np.arange(N) == 3, 1e12, PLAIN),
        SECONDS.astype(np.float32),
        2.0**53 * (1 + np.arange(N) % 2),
    ],
)
@pytest.mark.parametrize("source", SOURCES)
def test_numbers_that_float32_tells_apart_are_taken(tmp_path, source, numbers):
    data = SOURCES[source](tmp_path, numbers)
    if source in ("csv", "csv_lazy") and (numbers == numbers[0]).all():
        assert data.columns == ("a",)  # a constant column of a file is left out
        return
    kept = data.y if "target" in source else data.x[:N]
    expected = numbers.astype(np.float32)
    np.testing.assert_array_equal(kept if kept.ndim == 1 else kept.reshape(N, -1)[:, -1], expected)


def test_the_spread_of_the_training_part_counts_in_the_others(tmp_path):
    """Two test rows a second apart tell nothing new where training covers years, and much where it covers minutes."""
    years, test = 1.7e9 + 1e6 * np.arange(N), columns(1.7e9 + PLAIN)[:2]
    arrays = {"x": columns(years), "y": years, "x_test": test, "y_test": 1.7e9 + np.arange(2)}
    assert load(save(tmp_path, **arrays), task="regression").test is not None
    minutes = (1.7e9 + 128 * (np.arange(N) % 3)).astype(np.float32)
    for part in ("x_test", "y_test"):
        both = arrays | {part[0]: columns(minutes) if part == "x_test" else minutes}
        with pytest.raises(InputError, match=r"(?s)test.*float32"):
            load(save(tmp_path, **both), task="regression")


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_inputs_to_predict_are_held_to_the_spread_of_training(tmp_path, kind):
    def inputs(numbers):
        return write(tmp_path, a=PLAIN, b=numbers) if kind == "csv" else save(tmp_path, x=columns(numbers))

    def fitted(numbers):
        return Preprocessor.fit(columns(numbers).astype(np.float32), "table", columns=("a", "b"))

    years = fitted(1.7e9 + 1e6 * np.arange(N))
    assert read_inputs(inputs(SECONDS), years)[0].shape == (N, 2)
    assert read_inputs(inputs(np.where(np.arange(N) == 0, 1e12, PLAIN)), fitted(PLAIN))[0].shape == (N, 2)
    with pytest.raises(InputError, match=r"[1b].*float32"):
        read_inputs(inputs(SECONDS), fitted(1.7e9 + 128 * (np.arange(N) % 3)))


def test_a_column_of_a_csv_that_is_constant_for_lack_of_digits_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"b.*9007199254740992"):
        load(write(tmp_path, a=PLAIN, b=[2**53 + i % 2 for i in range(N)], target=LABELS))


def test_whole_targets_from_2_to_53_on_are_read_digit_by_digit(tmp_path):
    """All the same in float64: too close for float32, and not a constant."""
    with pytest.raises(InputError, match="9007199254740992"):
        load(write(tmp_path, a=PLAIN, target=NEAR_2_TO_53), task="regression")
    assert load(write(tmp_path, a=PLAIN, target=[2**53] * N), task="regression").y.tolist() == [2**53] * N


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_whole_numbers_of_prepared_sets_are_held_to_the_same(tmp_path, lazy, named):
    """TFDS itself stores a float64 as float32."""

    def made(folder, train, test):
        def features(f):
            parts = {"a": f.Scalar(np.int64), "b": f.Scalar(np.int64)}
            return {
                "x": parts if named else f.Tensor(shape=(2,), dtype=np.int64),
                "label": f.ClassLabel(num_classes=2),
            }

        def examples(name):
            numbers = columns((train if name == "train" else test).astype(np.int64))
            return [
                {"x": dict(zip("ab", row, strict=True)) if named else row, "label": i % 2}
                for i, row in enumerate(numbers)
            ]

        make_set(tmp_path / folder, features, examples, ("x", "label"), ("train", "test"))
        return load("made", data_dir=tmp_path / folder, lazy=lazy)

    years = 1.7e9 + 1e6 * np.arange(N)
    data = made("right", years, SECONDS)
    np.testing.assert_array_equal(data.x[:N], columns(years.astype(np.int64)).astype(np.float32))
    assert data.x.dtype == data.test[0].dtype == np.float32
    with pytest.raises(InputError, match=r"x, column [1b].*float32"):
        made("merged", SECONDS, years)
    with pytest.raises(InputError, match=r"test part, column [1b].*float32"):
        made("merged_test", 1.7e9 + 128 * (np.arange(N) % 3), SECONDS)


@given(st.floats(0, 9), st.floats(-3, 3), st.integers(0, 1000))
def test_numbers_are_refused_from_a_rounding_error_of_a_thousandth_of_the_deviation(offset, scale, seed):
    values = 10.0**offset + 10.0**scale * np.random.default_rng(seed).normal(size=50)
    is_coarse = np.abs(values - values.astype(np.float32)).max() > 1e-3 * values.std()
    with pytest.raises(InputError, match="too coarse") if is_coarse else contextlib.nullcontext():
        check_float32("toy", values)
