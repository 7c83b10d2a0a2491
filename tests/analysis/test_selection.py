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


def test_means_that_agree_to_nine_digits_are_tied():
    strengths = [1.0, 2.0]
    assert choose(np.array([[0.5 + 3e-10], [0.5]]), LOSS[:2, :1], strengths).position == 1
    assert choose(np.array([[0.5 + 2e-9], [0.5]]), LOSS[:2, :1], strengths).position == 0


def test_a_loss_that_is_not_finite_loses_a_tie():
    losses = np.array([[5.0], [np.nan], [np.inf]])
    assert choose(np.full((3, 1), 0.5), losses, [1, 2, 3]).position == 0


@pytest.mark.parametrize("seeds", [2, 5])
def test_the_standard_error_is_that_of_the_mean_over_seeds(seeds):
    """The best point's scores are 0.6 +- 0.02; a stronger point is near up to their standard error, and no further."""
    best = 0.6 + 0.02 * np.resize([1.0, -1.0], seeds)
    error = np.std(best, ddof=1) / np.sqrt(seeds)
    for share, expected in ((0.98, 1), (1.02, 0)):
        table = np.stack([best, np.full(seeds, best.mean() - share * error)])
        assert choose(table, np.zeros_like(table), [1, 2], "1se").position == expected


def test_one_seed_has_no_standard_error():
    """Only a tie with the best is near it."""
    losses = np.zeros((3, 1))
    assert choose(np.array([[0.6], [0.5], [0.4]]), losses, [1, 2, 3], "1se").position == 0
    assert choose(np.array([[0.6], [0.6], [0.4]]), losses, [1, 2, 3], "1se").position == 1


def test_a_grid_of_two_points_has_two_edges():
    assert choose(scores(0.6, 0.5), LOSS[:2], [1, 2]).edge == "low"
    assert choose(scores(0.5, 0.6), LOSS[:2], [1, 2]).edge == "high"


@pytest.mark.parametrize(
    ("losses", "strengths"), [(LOSS[:2], [1, 2, 3]), (LOSS[:3, :2], [1, 2, 3]), (LOSS, [1, 2, 3]), (LOSS[:3], [1, 2])]
)
def test_lengths_that_differ_are_refused(losses, strengths):
    with pytest.raises(ValueError, match=rf"\(3, 3\) scores, .* losses and {len(strengths)} strengths"):
        choose(scores(0.1, 0.2, 0.3), losses, strengths)
    with pytest.raises(ValueError, match="and 4 strengths"):
        choose(scores(0.1, 0.2, 0.3), LOSS[:3], [1, 2, 3, 4])


@pytest.mark.parametrize(("error", "position"), [(0.0, 0), (0.05, 1), (0.2, 2)])
def test_a_single_seed_takes_the_error_that_it_is_given(error, position):
    scores = np.array([[0.9], [0.86], [0.75]])
    assert choose(scores, np.zeros((3, 1)), [1.0, 2.0, 3.0], "1se", errors=[error] * 3).position == position
