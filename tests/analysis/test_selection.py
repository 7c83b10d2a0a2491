import numpy as np
import pytest

from regjax.analysis import choose

LOSS = np.zeros((4, 3))


def scores(*means):
    return np.array([[m - 0.02, m, m + 0.02] for m in means])


def test_best_mean_wins_and_edges_are_flagged():
    assert choose(scores(0.1, 0.5, 0.4, 0.2), LOSS, [1, 2, 3, 4]) == (1, 1, None)
    assert choose(scores(0.6, 0.5, 0.4, 0.2), LOSS, [1, 2, 3, 4]).edge == "low"
    assert choose(scores(0.1, 0.2, 0.3, 0.4), LOSS, [1, 2, 3, 4]).edge == "high"
    assert choose(scores(0.3), LOSS[:1], [1.0]).edge is None


def test_ties_go_to_the_lower_loss_then_to_the_stronger():
    tied = scores(0.5, 0.5, 0.5, 0.1)
    assert choose(tied, np.array([[1.0] * 3, [0.5] * 3, [1.0] * 3, [0.0] * 3]), [1, 2, 3, 4]).position == 1
    assert choose(tied, LOSS, [1, 2, 3, 4]).position == 2


def test_one_standard_error_takes_the_most_regularized():
    # Standard error of the best: 0.02 / sqrt(3) = 0.0115.
    table = scores(0.5, 0.6, 0.59, 0.58)
    assert choose(table, LOSS, [1, 2, 3, 4], "1se") == (2, 1, None)
    assert choose(table, LOSS, [1, 2, 3, 4], "best").position == 1


def test_a_score_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="score a diverged run at chance"):
        choose(scores(0.1, float("nan"), 0.1, 0.1), LOSS, [1, 2, 3, 4])
    with pytest.raises(ValueError, match="did you mean 'best'"):
        choose(scores(0.1), LOSS[:1], [1.0], "bst")
