"""The choice of a setting: by the best mean, or the most regularized within one standard error."""

from typing import NamedTuple

import numpy as np
import pytest

from regjax.comparison.choose import pick
from regjax.comparison.scoring import Evaluation
from regjax.comparison.techniques import Technique


def evaluation(score, loss):
    """Of four examples of which a share `score` is right."""
    return Evaluation(score, loss, np.full(4, loss), (np.arange(4) < 4 * score).astype(float))


class Outcome(NamedTuple):
    select: list[Evaluation]


def outcomes(*scores, losses=None):
    losses = losses or [[0.5] * len(row) for row in scores]
    return [
        Outcome([evaluation(*pair) for pair in zip(*rows, strict=True)]) for rows in zip(scores, losses, strict=True)
    ]


L2 = Technique("l2", "L2", "strength", (0.01, 0.1, 1.0), lambda s: {})


def test_the_best_mean_is_chosen_and_described():
    found = pick(L2, outcomes([0.5, 0.7], [0.8, 0.9], [0.6, 0.6]), "best")
    assert found.position == 1
    assert found.entry() == {
        "parameter": "strength",
        "value": 0.1,
        "edge": None,
        "rule": "best",
        "select_score": pytest.approx(0.85),
        "ties": 0,
    }


@pytest.mark.parametrize(
    ("scores", "edge"), [(([0.9, 0.9], [0.1, 0.1], [0.1, 0.1]), "low"), (([0.1, 0.1], [0.2, 0.2], [0.9, 0.9]), "high")]
)
def test_an_end_of_the_grid_is_marked(scores, edge):
    assert edge in pick(L2, outcomes(*scores), "best").edge
    free = Technique("more_data", "more data", "examples", (10, 20, 30), lambda n: {}, has_edges=False)
    assert pick(free, outcomes(*scores), "best").edge is None


def test_one_standard_error_prefers_the_stronger_setting():
    """Means .80 and .79, standard error .01 of the best: .1 is within it, 1 is not."""
    rows = outcomes([0.80, 0.82, 0.78], [0.79, 0.79, 0.79], [0.6, 0.6, 0.6])
    assert pick(L2, rows, "best").value == 0.01
    assert pick(L2, rows, "1se").value == 0.1


def test_ties_go_to_the_lower_loss():
    rows = outcomes([0.8], [0.8], [0.8], losses=[[0.5], [0.4], [0.6]])
    assert pick(L2, rows, "best").value == 0.1
    assert pick(L2, rows, "best").ties == 1
    assert pick(L2, rows, "1se").ties == 0  # the strongest within an error, whether or not the best are tied
    assert pick(L2, outcomes([0.8], [0.8], [0.9]), "best").ties == 0


def test_the_parts_of_a_combination_are_named():
    assert pick(L2, outcomes([1.0], [0.0], [0.0]), "best")._replace(parts=["l2", "dropout"]).entry()["parts"] == [
        "l2",
        "dropout",
    ]


def test_a_single_run_is_within_one_standard_error_over_the_examples():
    """Of 0.75 on four examples the error is 0.22, so 0.5 is within two of them and not within one."""
    assert pick(L2, outcomes([0.75], [0.75], [0.5]), "1se").value == 0.1
    assert pick(L2, outcomes([0.75], [0.75], [0.75]), "1se").value == 1.0
