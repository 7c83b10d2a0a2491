import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_curve

from regjax.analysis import threshold_of_cost, threshold_of_precision
from regjax.core.errors import InputError

EXAMPLES = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1)), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(label for _, label in rows) < len(rows)
)
P, Y = np.array([0.1, 0.3, 0.5, 0.7, 0.9]), np.array([0, 1, 0, 1, 1])


def arrays(rows):
    return np.array([level / 20 for level, _ in rows]), np.array([label for _, label in rows])


def test_values_by_hand():
    lowest = threshold_of_precision(P, Y, 0.75)  # 3/5 of all, 3/4 without the first
    assert lowest[:3] == (pytest.approx(0.2), 0.75, 1.0)
    assert (lowest.predicted, lowest.positives, lowest.examples) == (4, 3, 5)
    assert threshold_of_precision(P, Y, 0.8)[:3] == (pytest.approx(0.6), 1.0, pytest.approx(2 / 3))
    dear = threshold_of_cost(P, Y, 5, 1)  # one false positive instead of a false negative
    assert (dear.value, dear.cost) == (pytest.approx(0.2), pytest.approx(1 / 5))
    cheap = threshold_of_cost(P, Y, 1, 5)
    assert (cheap.value, cheap.cost) == (pytest.approx(0.6), pytest.approx(1 / 5))
    none = threshold_of_cost(np.array([0.2, 0.9]), np.array([1, 0]), 1, 5)
    assert (none.value, none.predicted, none.recall) == (pytest.approx(0.95), 0, 0)
    assert np.isnan(none.precision)


@given(EXAMPLES, st.sampled_from([0.3, 0.5, 0.8, 0.95]))
def test_precision_and_recall_are_those_of_scikit_learn(rows, wanted):
    p, y = arrays(rows)
    precision, recall, values = precision_recall_curve(y, p)
    reached = np.flatnonzero(precision[:-1] >= wanted)
    if not len(reached):
        with pytest.raises(InputError, match=f"the best is {precision[:-1].max():.3f}"):
            threshold_of_precision(p, y, wanted)
        return
    found = threshold_of_precision(p, y, wanted)
    assert (found.precision, found.recall) == pytest.approx((precision[reached[0]], recall[reached[0]]))
    assert ((p >= found.value) == (p >= values[reached[0]])).all()


@given(EXAMPLES, st.sampled_from([(5, 1), (1, 1), (1, 3)]))
@pytest.mark.slow
def test_no_threshold_costs_less(rows, costs):
    p, y = arrays(rows)

    def cost(value):
        (_, false_positive), (false_negative, _) = confusion_matrix(y, p >= value, labels=[0, 1])
        return (costs[0] * false_negative + costs[1] * false_positive) / len(y)

    found = threshold_of_cost(p, y, *costs)
    assert found.cost == pytest.approx(cost(found.value)) == pytest.approx(min(map(cost, [*p, 2.0])))


def test_one_class_alone_is_refused():
    with pytest.raises(ValueError, match="both classes"):
        threshold_of_precision(P, np.ones(5, int), 0.9)
    with pytest.raises(ValueError, match="false_positive"):
        threshold_of_cost(P, Y, 1, 0)
