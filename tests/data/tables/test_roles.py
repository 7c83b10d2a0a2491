import datetime

import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data.tables import TableOptions, infer_columns, read_frame

N = 40
I = np.arange(N)


def roles(columns, target=(), **options):
    found = infer_columns(read_frame(columns, "toy"), TableOptions(**options), target)
    return {column.name: column.role for column in found}


CASES = {
    "number": [
        I % 7, I / 3, np.where(I == 3, np.nan, I / 3), [str(i % 9 + 0.5) for i in I], [f"{1000 + i:,}" for i in I],
        [str(i % 9) for i in I],
    ],
    "boolean": [I % 2 == 0, ["yes" if i % 3 else "No" for i in I], ["T" if i % 3 else "F" for i in I]],
    "category": [
        ["Rome" if i % 3 else "Oslo" for i in I], [f"level {i % 7}" for i in I], [f"0{i % 5}{i % 4}" for i in I],
        ["only" if i % 2 else "?" for i in I],
    ],
    "date": [
        [f"2024-05-{i % 28 + 1:02d}" for i in I], [f"{i % 28 + 1}.5.2024" for i in I],
        [f"2024-05-01 12:{i:02d}:00" for i in I], [datetime.date(2024, 5, 1 + i % 28) for i in I],
    ],
    "constant": [np.ones(N), ["same"] * N, np.full(N, np.nan), ["?"] * N],
    "text": [[f"n{i % 25}" for i in I]],
}  # fmt: skip


@pytest.mark.parametrize(("role", "cells"), [(role, cells) for role, many in CASES.items() for cells in many])
def test_roles_by_the_cells(role, cells):
    assert roles({"a": cells, "b": I / 7})["a"] == role


@pytest.mark.parametrize("name", ["id", "customer_id", "ID", "userId", "order key"])
def test_ids_by_name_and_distinct_cells(name):
    assert roles({name: I[::-1], "b": I / 7})[name] == "id"
    assert roles({name: [f"c{i}" for i in I], "b": I / 7})[name] == "id"
    assert roles({name: I % 9, "b": I / 7})[name] == "number"
    assert roles({name: I % 30, "b": I / 7})[name] == "id"  # several rows of each, such as visits of a patient
    assert roles({name: [f"c{i % 30}" for i in I], "b": I / 7})[name] == "id"


@pytest.mark.parametrize("name", ["paid", "valid", "humid", "monkey", "x"])
def test_other_names_are_no_ids(name):
    assert roles({name: I, "b": I / 7})[name] == "number"


def test_counters_of_the_rows_are_left_out():
    assert roles({"": I, "b": I / 7}) == {"": "id", "b": "number"}
    assert roles({"X": I + 1, "b": I / 7})["X"] == "id"
    assert roles({"X": np.delete(np.arange(N + 2), [3, 7]), "b": I / 7})["X"] == "id"  # rows were dropped
    assert roles({"X": I[::-1] + 2, "b": I / 7})["X"] == "number"
    assert roles({"Unnamed: 0": I, "b": I / 7})["Unnamed: 0"] == "id"


def test_what_the_user_says_counts():
    columns = {"zip": I % 5, "key": I, "note": [f"{i} words of free text in here" for i in I], "n": ["1", "x"] * 20}
    said = roles(columns, categorical=("zip",), id_column="n", ignore=("note",), numeric=("key",))
    assert said == {"zip": "category", "key": "number", "note": "ignored", "n": "id"}
    (found,) = infer_columns(read_frame({"n": ["1", "x", "2"]}), TableOptions(numeric=("n",)))
    assert (found.role, found.missing, found.lenient) == ("number", 1, True)


def test_all_bad_columns_are_named_at_once():
    columns = {
        "age": ["31"] * 30 + ["old"] * 10, "review": [f"this is text number {i} of many" for i in I],
        "size": ["1.5"] * 39 + ["1,5m"], "fine": I / 3,
    }  # fmt: skip
    with pytest.raises(InputError) as caught:
        roles(columns)
    message = str(caught.value)
    assert "row 30, column 'age': 'old' is not a number, as 75% of the cells are" in message
    assert "row 39, column 'size': '1,5m'" in message
    assert "column 'review' is free text (40 distinct texts, 7 words on average)" in message
    assert "fine" not in message


def test_columns_that_are_not_there_or_the_target_are_refused():
    with pytest.raises(InputError, match=r"no column 'agee' .did you mean 'age'"):
        roles({"age": I}, ignore=("agee",))
    with pytest.raises(InputError, match="'age' is the target; it cannot be in ignore too"):
        roles({"age": I, "b": I}, target=("age",), ignore=("age",))


def test_levels_are_in_the_order_of_texts_or_numbers():
    (found,) = infer_columns(read_frame({"a": [10, 9, 2, 10]}), TableOptions(categorical=("a",)))
    assert found.levels == ("2", "9", "10")
    found, _ = infer_columns(
        read_frame({"a": ["b", "a", None, "10", "c"] * 3, "n": range(15)}), TableOptions(ignore=("n",))
    )
    assert (found.levels, found.missing) == (("10", "a", "b", "c"), 3)
