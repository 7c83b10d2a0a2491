import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regjax.core.errors import InputError
from regjax.data.tables.dates import PARTS, date_parts, to_days

DAYS = st.lists(st.dates(datetime.date(1901, 1, 1), datetime.date(2099, 12, 31)), min_size=1)


@given(DAYS)
def test_parts_are_those_of_pandas(days):
    ours = dict(zip(PARTS, date_parts(to_days(pa.array(days), "day")).T, strict=True))
    theirs = pd.DatetimeIndex(days)
    for part in ("year", "month", "weekday"):
        np.testing.assert_array_equal(ours[part], getattr(theirs, part))
    np.testing.assert_array_equal(ours["days"], (theirs - pd.Timestamp(0)).days)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d 10:30"])
@given(DAYS)
def test_every_way_of_writing_gives_the_same_days(form, days):
    days = [*days, datetime.date(2024, 5, 31)]  # which tells the day from the month
    texts = pa.array([day.strftime(form) for day in days], pa.large_string())
    np.testing.assert_array_equal(to_days(texts, "day"), to_days(pa.array(days), "day"))


def test_missing_dates_stay_missing():
    days = to_days(pa.array(["1.2.1970", None, "13.1.70"], pa.large_string()), "day")
    np.testing.assert_array_equal(days, [31, np.nan, 12])
    assert np.isnan(date_parts(days)[1]).all()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["1.2.2024", "3.4.2024"], "it is ambiguous whether '1.2.2024' starts with the day or the month"),
        (["2024-05-31", "soon"], "'2024-05-31' is not a date|'soon' is not a date"),
        (["2024-13-31"], "Month out of range"),
    ],
)
def test_what_is_no_date_is_refused(texts, message):
    with pytest.raises(InputError, match=message):
        to_days(pa.array(texts, pa.large_string()), "day")
    with pytest.raises(InputError, match="holds int64, not dates"):
        to_days(pa.array([1, 2]), "day")
