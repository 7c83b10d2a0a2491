import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from regjax.core.errors import InputError
from regjax.data import Preprocessor, from_frame
from regjax.data.tables import Schema, TableOptions, infer_columns, read_frame

FRAME = pd.DataFrame(
    {
        "age": [30.0, np.nan, 50.0, 40.0, 20.0, np.nan],
        "city": ["Rome", "Oslo", None, "Rome", "Bonn", "Oslo"],
        "pays": [True, False, True, True, False, True],
        "size": [1, 2, 3, 5, 8, 13],
    }
)


def schema_of(frame, **options):
    return Schema(tuple(infer_columns(read_frame(frame), TableOptions(**options))))


def test_inputs_by_hand():
    made = schema_of(FRAME)
    assert made.inputs == (
        "age", "age is missing", "city=Bonn", "city=Oslo", "city=Rome", "city=(missing)", "pays", "size",
    )  # fmt: skip
    x, notes = made.encode(read_frame(FRAME))
    assert notes == ()
    np.testing.assert_array_equal(x[0], [30, 0, 0, 0, 1, 0, 1, 1])
    np.testing.assert_array_equal(x[1], [np.nan, 1, 0, 1, 0, 0, 0, 2])
    np.testing.assert_array_equal(x[2], [50, 0, 0, 0, 0, 1, 1, 3])


@given(st.permutations(range(4)), st.booleans())
def test_the_order_of_columns_and_other_columns_do_not_matter(order, extra):
    made = schema_of(FRAME)
    other = FRAME.iloc[:, order].assign(**({"more": "text"} if extra else {}))
    np.testing.assert_array_equal(made.encode(read_frame(other))[0], made.encode(read_frame(FRAME))[0])


def test_a_schema_comes_back_from_json():
    made = schema_of(FRAME.assign(day="2024-05-31", **{"n": ["1,000", "2"] * 3}), dates=("day",))
    assert Schema.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_what_training_did_not_have_is_counted():
    made = schema_of(FRAME.dropna())
    x, notes = made.encode(read_frame(FRAME.assign(city=["Rome", "Lima", None, "Lima", "Bonn", "Rome"])))
    assert notes[0] == "age: 2 missing, as in no training example: median"
    assert notes[1].startswith("city: 2 rows with a level that training did not have, as 'Lima', 1 missing")
    start = made.inputs.index("city=Bonn")
    assert x[1, start : start + 2].tolist() == x[2, start : start + 2].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        ("size", ["1", "x", "3", "4", "5", "6"], r"row 1, column 'size': 'x' is not a number"),
        ("age", [1.0, 2.0, np.inf] * 2, r"row 2, column 'age': inf is not a finite float32"),
        ("size", [2**53 + i % 2 for i in range(6)], r"column size.*float32"),
    ],
)
def test_cells_that_are_not_what_they_were_are_refused(column, cells, message):
    with pytest.raises(InputError, match=message):
        schema_of(FRAME).encode(read_frame(FRAME.assign(**{column: cells})))


@pytest.mark.parametrize(
    ("cells", "example"),
    [(["yes", "perhaps", "no", None, "TRUE", "0"], "perhaps"), ([0, 5, 0, None, 1, 0], "5.0")],
)
def test_what_is_neither_true_nor_false_is_missing_and_counted(cells, example):
    made = schema_of(FRAME)
    x, notes = made.encode(read_frame(FRAME.assign(pays=cells)))
    inputs = x[:, made.inputs.index("pays")]
    assert np.isnan(inputs).tolist() == [False, True, False, True, False, False]
    assert inputs[[0, 2, 4, 5]].tolist() == [float(cells[0] == "yes"), 0, 1, 0]
    [note] = [line for line in notes if line.startswith("pays")]
    assert f"1 neither true nor false, as {example!r}: missing" in note
    assert "1 missing" in note


def test_a_column_that_is_gone_is_named():
    with pytest.raises(InputError, match="no column 'age', 'size'"):
        schema_of(FRAME).encode(read_frame(FRAME[["city", "pays"]]))


def sklearn_inputs(train, test):
    """The same columns by scikit-learn, fitted on the training rows."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    flag = make_pipeline(MissingIndicator(features="all"), StandardScaler())
    levels = [["Bonn", "Oslo", "Rome", "(missing)"]]
    city = make_pipeline(
        SimpleImputer(missing_values=None, strategy="constant", fill_value="(missing)"),
        OneHotEncoder(categories=levels, handle_unknown="ignore", sparse_output=False),
        StandardScaler(),
    )
    transformer = ColumnTransformer(
        [
            ("age", numbers, ["age"]),
            ("flag", flag, ["age"]),
            ("city", city, ["city"]),
            ("rest", numbers, ["pays", "size"]),
        ]
    )
    as_objects = [part.astype({"city": object, "pays": float}) for part in (train, test)]
    as_objects = [part.assign(city=part["city"].where(part["city"].notna(), None)) for part in as_objects]
    transformer.fit(as_objects[0])
    return transformer.transform(as_objects[0]), transformer.transform(as_objects[1])


def test_standardized_inputs_are_those_of_scikit_learn_fitted_on_training_rows():
    rng = np.random.default_rng(0)
    n = 60
    frame = pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.3, np.nan, rng.normal(40, 10, n)),
            "city": np.array(["Bonn", "Oslo", "Rome", None], object)[rng.integers(0, 4, n)],
            "pays": rng.random(n) < 0.5,
            "size": rng.integers(1, 100, n),
            "target": rng.normal(size=n),
        }
    )
    data = from_frame(frame, "target", task="regression")
    train = np.arange(40)
    made = Preprocessor.fit(data.x[train], "table", schema=data.schema)
    for ours, theirs in zip(
        (made.transform(data.x[train]), made.transform(data.x[40:])),
        sklearn_inputs(frame[:40], frame[40:]),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


def test_a_level_that_no_training_row_has_says_nothing():
    """Its input is 0 for every row, so that the random weights of it cannot reach a prediction."""
    data = from_frame({"city": ["a", "b", "a", "b", "c"], "n": [1, 2, 1, 3, 9], "target": [0.5, 1, 2, 3, 4]}, "target")
    made = Preprocessor.fit(data.x[:4], "table", schema=data.schema)
    c = data.columns.index("city=c")
    assert np.abs(made.transform(data.x)[:, c]).max() < 1e-20
    restored = Preprocessor.from_json(made.to_json())
    np.testing.assert_array_equal(restored.transform(data.x), made.transform(data.x))


def test_lines_for_the_terminal_count_everything():
    lines = schema_of(FRAME.assign(same=1, id=range(6))).lines(6)
    assert len(lines) == 7
    assert "2 missing (33.3%)" in lines[0]
    assert lines[-1] == "6 rows; 4 columns make 8 inputs; left out: same, id"
    assert schema_of(FRAME).lines(6, most=1)[1] == "and 3 more columns"


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["number", "boolean", "few", "many", "hole"]), min_size=1, max_size=30))
def test_inputs_of_many_columns_are_those_of_each_column(kinds):
    """Inputs are encoded in blocks; a category of more levels than a block holds is one of its own."""
    cells = {
        "number": np.arange(40.0) / 4,
        "boolean": np.arange(40) % 2 == 0,
        "few": [f"L{i % 3}" for i in range(40)],
        "many": [f"L{i % 19}" for i in range(40)],
        "hole": np.where(np.arange(40) % 5 == 0, np.nan, np.arange(40.0)),
    }
    frame = pd.DataFrame({f"{kind}{i}": cells[kind] for i, kind in enumerate(kinds)}).assign(constant=1)
    x, _ = schema_of(frame).encode(read_frame(frame))
    parts = [frame[[name, "constant"]] for name in frame if name != "constant"]
    alone = [schema_of(part).encode(read_frame(part))[0] for part in parts]
    np.testing.assert_array_equal(x, np.concatenate(alone, axis=1))
