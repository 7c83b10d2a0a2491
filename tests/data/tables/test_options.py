import pytest

from regjax.core.errors import InputError
from regjax.data.tables.options import TableOptions, check_known


def test_a_column_has_one_option():
    made = TableOptions(ignore=("a", "b"), numeric=("c",), id_column="d")
    assert made.named() == {"a": "ignore", "b": "ignore", "c": "numeric", "d": "id_column"}
    with pytest.raises(InputError, match="'a' is in ignore and in id_column"):
        TableOptions(ignore=("a",), id_column="a")


@pytest.mark.parametrize(
    ("option", "message"), [({"impute": "mean"}, "median, refuse"), ({"separator": "||"}, "one char")]
)
def test_values_that_are_not_accepted(option, message):
    with pytest.raises(ValueError, match=message):
        TableOptions(**option)


def test_columns_that_are_not_there_are_all_named():
    check_known("toy", "column", ["a"], ["a", "b"])
    with pytest.raises(InputError, match=r"toy: no column 'agee', 'x' .did you mean 'age'.*it has age, b"):
        check_known("toy", "column", ["agee", "age", "x"], ["age", "b"])
