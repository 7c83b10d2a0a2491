import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import regjax as rj
from regjax.core.ranges import Range


@pytest.mark.parametrize(
    ("own", "share", "value"),
    [
        (Range(0.0, 0.8), 0.25, 0.2),
        (Range(1e-6, 1e-2, log=True), 0.25, 1e-5),
        (Range(3, 10, whole=True), 0.0, 3),
        (Range(3, 10, whole=True), 1.0, 10),
        (Range(1, 100, log=True, whole=True), 0.0, 1),
    ],
)
def test_values_by_hand(own, share, value):
    assert own.at(share) == value


def test_whole_numbers_have_equal_parts():
    counts = [sum(Range(1, 4, whole=True).at((i + 0.5) / 400) == n for i in range(400)) for n in range(1, 5)]
    assert counts == [100] * 4


@given(st.floats(1e-8, 1.0), st.floats(1.001, 1e6), st.floats(0, 1), st.booleans())
def test_a_value_is_in_its_range_and_its_share_is_found_again(low, factor, share, log):
    own = Range(low, low * factor, log=log)
    value = own.at(share)
    assert own.low <= value <= own.high
    low, high, found = map(math.log if log else float, (own.low, own.high, value))
    assert (found - low) / (high - low) == pytest.approx(share, abs=1e-6)


def test_a_part_of_the_draws_is_zero_and_the_others_keep_their_distribution():
    plain, optional = Range(1e-4, 1e-1, log=True), Range(1e-4, 1e-1, log=True, off=0.25)
    values = [optional.at((i + 0.5) / 400) for i in range(400)]
    assert values[:100] == [0.0] * 100
    assert values[100:] == pytest.approx([plain.at((i + 0.5) / 300) for i in range(300)], rel=1e-9)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (Range(1.0, 1.0), r"l2: uniform\(1,1\) needs two finite numbers, the smaller one first"),
        (Range(2.0, 1.0, log=True), r"l2: loguniform\(2,1\) needs two finite"),
        (Range(0.0, math.inf), "finite"),
        (Range(math.nan, 1.0), "finite"),
        (Range(0.0, 1.0, log=True), "a low end above 0"),
        (Range(0.5, 3, whole=True), "needs whole numbers"),
        (Range(0.0, 1.0, off=1.0), r"a probability in \[0, 1\), got 1"),
    ],
)
def test_ranges_without_numbers_are_refused(own, message):
    with pytest.raises(rj.InputError, match=message):
        own.check("l2")
