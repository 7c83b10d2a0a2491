"""Every table and array that people bring gives what it should; skipped where the inputs are not there."""

import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import TableOptions, load, split
from tests.data.sets import INPUTS

pytestmark = pytest.mark.skipif(not INPUTS.is_dir(), reason=f"{INPUTS} is not there")
CITIES = ("Köln", "Oslo", "Paris")


def table(name, target="churn", **options):
    return load(INPUTS / "tables" / name, target=target, table=TableOptions(**options) if options else None)


def roles(data):
    return {column.name: column.role for column in data.schema.columns}


def test_customers():
    data = table("customers.csv")
    assert roles(data) == {
        "customer_id": "id", "age": "number", "fare": "number", "city": "category", "contract": "category",
        "start": "date",
    }  # fmt: skip
    assert any("left out: customer_id, start" in line for line in data.notes)
    used = table("customers.csv", dates=("start",))
    assert {f"start.{part}" for part in ("year", "month", "weekday", "days")} < set(used.columns)


def test_customers_missing():
    data = table("customers_missing.csv")
    assert {"age is missing", "fare is missing", "city=(missing)"} < set(data.columns)
    cells = (INPUTS / "tables/customers_missing.csv").read_text(encoding="utf-8").splitlines()[1:]
    ages = sum(line.split(",")[1] in ("", "NA", "nan", "?") for line in cells)
    assert ages == next(column.missing for column in data.schema.columns if column.name == "age")
    assert np.isnan(data.x).sum() == sum(c.missing for c in data.schema.columns if c.role == "number")
    with pytest.raises(InputError, match=r"missing cells in age .*, fare .*, city"):
        table("customers_missing.csv", impute="refuse")


def test_index_and_bool():
    data = table("index_and_bool.csv")
    assert roles(data) == {"": "id", "age": "number", "fare": "number", "monthly": "boolean"}
    assert set(np.unique(data.x[:, data.columns.index("monthly")])) == {0, 1}


@pytest.mark.parametrize(
    ("name", "said"), [("semicolon.csv", "semicolons"), ("tab.tsv", "tabs"), ("decimal_comma.csv", "commas")]
)
def test_separators_and_decimal_commas_are_found_and_said(name, said):
    data = table(name)
    assert any(said in line for line in data.notes)
    np.testing.assert_array_equal(data.x[:, :2], table("index_and_bool.csv").x[:, :2])


@pytest.mark.parametrize("name", ["latin1.csv", "latin1_late.csv"])
def test_another_encoding(name):
    content = (INPUTS / "tables" / name).read_bytes()
    at = next(i for i, byte in enumerate(content) if byte > 127)
    with pytest.raises(InputError, match=rf"byte {at} .*line {content[:at].count(10) + 1} is not UTF-8.*--encoding"):
        table(name)
    if name == "latin1.csv":
        assert "stadt=Köln" in table(name, encoding="latin1").columns


def test_labels_are_the_text_of_their_cells():
    assert table("codes.csv", "icd").class_names == ("007", "7", "08", "8")
    assert len(table("big_labels.csv", "target").class_names) == 2


def test_the_task_and_why_is_said():
    data = table("counts.csv", "rooms")
    assert data.task == "classification"
    assert any("rooms: classification" in line and "task=" in line for line in data.notes)
    assert load(INPUTS / "tables/counts.csv", target="rooms", task="regression").task == "regression"


def test_groups_stay_in_one_part():
    data = table("groups.csv", "ill", group="patient")
    patients = [line.split(",")[0] for line in (INPUTS / "tables/groups.csv").read_text().splitlines()[1:]]
    parts = [{patients[i] for i in rows} for rows in split(data).indices.values()]
    assert sum(map(len, parts)) == len(set.union(*parts)) > 35
    assert "patient" not in " ".join(data.columns)


def test_duplicates_are_counted_and_stay_together():
    data = table("duplicates.csv", "label")
    assert data.groups is not None
    copies = len(data) - len(np.unique(data.x, axis=0))
    assert any(f"{copies} of {len(data)} examples are exact duplicates" in line for line in data.notes)


def array(name, **options):
    return load(INPUTS / "arrays" / name, **options)


def test_arrays():
    assert array("one_hot.npz").task == "classification"
    assert array("column_y.npz").y.ndim == 1
    for name in ("labels_from_one.npz", "labels_minus_one.npz"):
        data = array(name)
        assert data.y.min() == 0
        assert data.y.max() == data.num_classes - 1
    with pytest.raises(InputError, match=r"look like \[N, C, H, W\]"):
        array("images_nchw.npz")
