import numpy as np
import pytest

from regjax.analysis import bounded_interval
from regjax.cli.path_points import content_of


def rows_of(up, down=None, columns=(), norms=0.5):
    """Rows of the values 0.1, 1, ...; scores are `[values, seeds]`, None is a run that diverged."""
    out = []
    for order, scores in (("up", up), ("down", down or [])):
        for i, of_value in enumerate(scores):
            for seed, score in enumerate(of_value):
                row = {"order": order, "l1": 10.0 ** (i - 1), "seed": seed, "val_score": score}
                row |= {
                    "val_loss": 1.0,
                    "train_score": 0.9,
                    "train_loss": 0.1,
                    "epochs": 3,
                    "zeros": i / 4,
                    "norm": 2.0,
                }
                row["status"] = "diverged" if score is None else "completed"
                out.append(row | {f"norm of {column}": norms * (i < 1) for column in columns})
    return out


def content(rows, values=3, columns=None, examples=10, task="classification"):
    return content_of(rows, "l1", [10.0 ** (i - 1) for i in range(values)], columns, examples, task)


def test_points_are_means_over_seeds():
    found = content(rows_of([[0.5, 0.6], [0.8, 0.9], [0.5, 0.5]]))
    assert list(found["orders"]) == ["up"]
    point = found["orders"]["up"][1]
    expected = {"value": 1.0, "runs": 2, "failed": 0, "zeros": 0.25, "norm": 2.0, "train_score": 0.9, "inputs": None}
    assert expected.items() <= point.items()
    assert point["score"]["mean"] == pytest.approx(0.85)
    assert point["score"]["ci95"] == pytest.approx(list(bounded_interval([0.8, 0.9], 10)[1:]))
    assert found["best"] == {"order": "up", "position": 1, "share": 1}
    assert found["orders_differ"] is None


def test_the_strongest_near_the_best_is_of_the_same_order():
    """An accuracy of 0.8 on ten examples has a standard error of 0.13."""
    found = content(rows_of([[0.8], [0.7], [0.6]], [[0.5], [0.75], [0.79]]))
    assert found["best"] == {"order": "up", "position": 0, "share": 1}
    assert found["one_standard_error"] == {"order": "up", "position": 1, "error": pytest.approx(np.sqrt(0.016))}


def test_orders_differ_most_where_their_means_do():
    found = content(rows_of([[0.5, 0.7], [0.8, 0.6], [0.5, 0.5]], [[0.5, 0.6], [0.4, 0.6], [0.6, 0.5]]))
    assert found["orders_differ"] == {"position": 1, "mean": pytest.approx(0.2)}


def test_a_point_with_a_run_that_diverged_is_never_best():
    found = content(rows_of([[0.9, None], [0.8, 0.8], [0.7, 0.7]]))
    assert found["orders"]["up"][0]["failed"] == 1
    assert found["orders"]["up"][0]["score"] == {"mean": None, "ci95": [None, None]}
    assert found["best"] == {"order": "up", "position": 1, "share": 1}
    nothing = content(rows_of([[None], [None], [None]]))
    assert (nothing["best"], nothing["one_standard_error"]) == (None, None)


def test_features_are_those_whose_norms_are_known():
    found = content(rows_of([[0.5], [0.6], [0.7]], columns=("a", "b")), columns=("a", "b"))
    assert found["columns"] == ["a", "b"]
    assert [point["inputs"] for point in found["orders"]["up"]] == [[0.5, 0.5], [0.0, 0.0], [0.0, 0.0]]
    assert [point["used"] for point in found["orders"]["up"]] == [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    assert content(rows_of([[0.5], [0.6], [0.7]]), columns=("a", "b"))["columns"] is None


def test_points_that_share_the_best_score_are_counted_in_both_orders():
    assert content(rows_of([[0.8], [0.7], [0.8]], [[0.5], [0.8], [0.4]]))["best"]["share"] == 3


def test_r2_of_one_seed_has_no_standard_error():
    found = content(rows_of([[0.5], [0.6], [0.7]]), task="regression")
    assert found["one_standard_error"] is None
    assert found["orders"]["up"][0]["score"]["ci95"] == [None, None]
