"""The repetition with wrong labels: its machinery on small digits, and the record that is kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.reproduce import label_noise as own
from experiments.reproduce.published import record

RECORD = Path(__file__).resolve().parents[3] / "experiments/records/reproduce/label_noise.json"
SMALL = own.Plan(
    widths=(64, 64), examples=300, validation=200, updates=300, evaluations=10, random_updates=300, seeds=2
)


@pytest.mark.slow
def test_on_small_digits_labels_at_random_are_fitted_and_half_random_ones_at_a_price(small_images, tmp_path):
    measured, more, seconds = own.run(small_images, SMALL, tmp_path / "store")
    made = record("label_noise", own.PUBLICATION, measured, 0.0, **more)
    assert all(len(row["runs"]) == 2 for row in made["rows"])
    random = more["random_labels"]["plain"]
    assert min(random["training_accuracy"]) > 95
    assert 85 < np.mean(random["test_error"]) < 95  # labels at random teach nothing: 90% by chance
    half = more["half_random"]
    assert half["wrong_labels"] == pytest.approx(0.45, abs=0.07)  # 600 labels: more than 3 standard errors
    errors = half["errors"]
    for method in ("plain", "dropout", "mixup"):
        assert errors[method]["best by test"]["mean"] <= errors[method]["best by validation"]["mean"]
        assert errors[method]["best by test"]["mean"] <= errors[method]["last"]["mean"]
    assert errors["plain"]["last"]["mean"] > errors["plain"]["best by validation"]["mean"] + 2
    gap = np.subtract(errors["plain"]["last"]["runs"], errors["plain"]["best by test"]["runs"])
    np.testing.assert_allclose(measured[own.PLAIN_GAP], gap, atol=1e-6)
    again, _, before_the_stop = own.run(small_images, SMALL, tmp_path / "store")  # from the store
    assert again == measured
    assert before_the_stop == pytest.approx(seconds)


def test_validation_labels_are_as_wrong_as_those_of_training_and_the_test_is_clean(small_images):
    noisy = own.Noisy(small_images, SMALL._replace(examples=600, validation=600), 0.45)
    assert np.mean(noisy.labels != noisy.pool.y) == pytest.approx(0.45, abs=0.06)
    assert noisy.pool.x_test is small_images.x_test
    np.testing.assert_array_equal(noisy.pool.y_test, small_images.y_test)
    where = {row.tobytes(): label for row, label in zip(small_images.x, small_images.y, strict=True)}
    truth = np.array([where[row.tobytes()] for row in noisy.validation.x_test])
    assert np.mean(noisy.validation.y_test != truth) == pytest.approx(0.45, abs=0.08)
    own_rows = {row.tobytes() for row in noisy.pool.x}
    assert not own_rows & {row.tobytes() for row in noisy.validation.x_test}


def test_the_best_epoch_is_taken_by_the_named_error():
    validation = np.array([[60.0, 50.0, 55.0], [50.0, 50.0, 60.0]])
    test = np.array([[20.0, 18.0, 30.0], [25.0, 21.0, 33.0]])
    found = own.entry(validation, test)
    assert found["last"] == {"mean": 31.5, "runs": [30.0, 33.0]}
    assert found["best by test"]["runs"] == [18.0, 21.0]
    assert found["best by validation"]["runs"] == [18.0, 25.0]  # the first of equal ones
    assert found["evaluation chosen by validation"] == [1, 0]


def test_what_the_page_says_of_the_record():
    made = json.loads(RECORD.read_text())
    page = " ".join((RECORD.parents[3] / "scripts/docs/pages/reproductions.md").read_text().split())
    random, half = made["random_labels"], made["half_random"]
    plain, both = (np.mean(random[m]["training_accuracy"]) for m in ("plain", "L2 and dropout"))
    assert f"here {plain:.0f}% without a regularizer, {both:.0f}% with L2 and dropout" in page
    assert all(round(np.mean(random[m]["test_error"]), -1) == 90 for m in ("plain", "L2 and dropout"))
    errors = half["errors"]["plain"]
    gain = errors["last"]["mean"] - errors["best by validation"]["mean"]
    assert f"stopping is worth {gain:.0f} points to a plain net" in page
    assert f"({errors['best by validation']['mean']:.1f}% against {errors['best by test']['mean']:.1f}%)" in page
    learned = {m: np.mean(values) for m, values in half["labels_learned"].items()}
    assert f"learned {learned['mixup']:.0f}% of the wrong and right labels, dropout {learned['dropout']:.0f}%" in page
    [row] = [row for row in made["rows"] if row["row"] == own.TO_MIX]
    assert row["ci95"][0] < 0 < row["ci95"][1]  # "has crept up to that of the plain net"
    a_fifth = len(half["curves"]["plain"]) // 5
    assert half["curves"]["mixup"][a_fifth] < half["curves"]["plain"][a_fifth] - 15  # "delays"
