import dataclasses
import json
import math

import flax.linen as nn
import numpy as np
import pytest

import regjax as rj
from regjax.comparison.train import Runner

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result(table):
    return rj.compare(
        "mlp", table, {"more_data": [], "early_stopping": [], "l2": [0.01, 0.1], "dropout": [0.5], "combination": []},
        seeds=4, train_examples=40, label_noise=0.1, epochs=12,
    )  # fmt: skip


def test_rows_and_budget(result):
    gained = [
        name
        for name in ("early_stopping", "l2", "dropout")
        if result.techniques[name].chosen["select_score"] > result.baseline.chosen["select_score"]
    ]
    assert [name for name in result.techniques if name != "combination"] == [
        "more_data",
        "early_stopping",
        "l2",
        "dropout",
    ]
    assert ("combination" in result.techniques) == (len(gained) >= 2)
    assert result.techniques["l2"].lanes == 3 * 4  # two strengths, and the chosen one again for the test
    assert result.baseline.lanes == 2 * 4
    assert result.metric == "accuracy"
    assert result.baseline.improvement is None


def test_numbers_hang_together(result):
    for row in result.techniques.values():
        paired = np.array(row.test.values) - np.array(result.baseline.test.values)
        assert row.improvement.mean == pytest.approx(paired.mean())
        assert row.test.ci95[0] <= row.test.mean <= row.test.ci95[1]
        assert row.generalization_gap.mean == pytest.approx(row.train.mean - row.test.mean)
        assert row.chosen["value"] in [point.value for point in row.grid]
        best = max(point.select_score.mean for point in row.grid)
        assert row.chosen["select_score"] == pytest.approx(best)
        loss = np.array(result.baseline.test_loss.values) - np.array(row.test_loss.values)
        assert row.loss_improvement.mean == pytest.approx(loss.mean())
        assert row.improvement.p_adjusted >= row.improvement.p >= 2 / 2**4
        assert row.improvement.p_holm >= row.improvement.p


def test_json_follows_the_contract(result):
    content = json.loads(result.dumps())
    assert {"dataset", "metric", "seeds", "baseline", "techniques"} <= set(content)
    for row in content["techniques"].values():
        assert {
            "chosen", "test", "test_accuracy", "train_accuracy", "generalization_gap", "improvement",
            "minimum_detectable_effect", "zero_fraction", "lanes", "seconds",
        } <= set(row)  # fmt: skip
        assert {"mean", "ci95", "values"} <= set(row["test"])
        assert {"mean", "ci95", "p", "p_holm", "p_adjusted"} <= set(row["improvement"])
        assert len(row["test"]["values"]) == 4
    lines = result.csv().splitlines()
    assert len(lines) == 2 + len(result.techniques)


def test_table_states_the_label_noise_and_the_rules(result):
    text = str(result)
    assert "10% of the training labels" in text
    assert "evaluated once" in text
    assert "with 4 the smallest possible p is 0.125" in text
    assert "baseline" in text.splitlines()[2]


def test_what_a_directory_holds_is_not_trained_again(table, result, tmp_path):
    def compared(**changes):
        seen = []
        again = rj.compare(
            "mlp", table, {"l2": [0.01, 0.1], "dropout": [0.5], "combination": []},
            **{"seeds": 4, "train_examples": 40, "label_noise": 0.1, "epochs": 12, **changes},
            directory=tmp_path, progress=lambda done, total, name: seen.append(done),
        )  # fmt: skip
        written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("lane-*.npz")}
        return again, len(seen), written

    first, runs, written = compared()
    again, _, rewritten = compared()
    assert written == rewritten
    assert len(written) == runs
    assert first.techniques["l2"].test == again.techniques["l2"].test == result.techniques["l2"].test
    assert first.csv() == again.csv()
    with pytest.raises(rj.InputError, match="of a lane with other data, numbers or seed"):
        compared(learning_rate=0.01)


def test_same_arguments_same_numbers(table, result):
    again = rj.compare("mlp", table, {"l2": [0.01, 0.1]}, seeds=4, train_examples=40, label_noise=0.1, epochs=12)
    assert again.baseline.test == result.baseline.test
    assert again.techniques["l2"].test == result.techniques["l2"].test


def test_the_test_part_is_out_of_reach_until_the_end(table, monkeypatch):
    """Training and choosing see the same numbers whatever the test part holds."""
    import dataclasses

    scrambled = dataclasses.replace(table, x_test=table.x_test * 0, y_test=1 - table.y_test)
    arguments = {"seeds": 2, "train_examples": 40, "epochs": 6}
    a = rj.compare("mlp", table, {"l2": [0.01, 0.1]}, **arguments)
    b = rj.compare("mlp", scrambled, {"l2": [0.01, 0.1]}, **arguments)
    assert a.techniques["l2"].chosen == b.techniques["l2"].chosen
    assert a.techniques["l2"].grid == b.techniques["l2"].grid
    assert a.techniques["l2"].train == b.techniques["l2"].train
    assert a.techniques["l2"].test != b.techniques["l2"].test
    # What trains and chooses holds a scorer of the selection part alone.
    assert "Scorer" in str(Runner.__annotations__["scorer"])


def test_only_early_stopping_restores_the_best(table):
    result = rj.compare("mlp", table, ["early_stopping", "dropout"], seeds=2, train_examples=40, epochs=30, patience=2)
    assert result.baseline.epochs.mean == 30
    assert result.techniques["dropout"].epochs.mean == 30
    assert result.techniques["early_stopping"].epochs.mean < 30


def test_regression_uses_r2_and_mse_in_the_units_of_the_target():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    y = (100 * x[:, 0] + 10 * rng.normal(size=200) + 500).astype(np.float32)
    result = rj.compare("linear", (x, y), {"l2": [1e-4, 1e-2]}, seeds=2, epochs=60, learning_rate=0.03)
    row = result.techniques["l2"]
    assert result.metric == "r2"
    assert row.test.mean > 0.9
    assert 50 < row.test_mse.mean < 1500
    with pytest.raises(rj.InputError, match=r"label_noise 0\.1 needs classes"):
        rj.compare("linear", (x, y), seeds=2, label_noise=0.1)


def test_a_diverged_lane_scores_at_chance(table):
    result = rj.compare("mlp", table, {"l2": [1e-3]}, seeds=2, train_examples=40, epochs=3, learning_rate=1e30)
    assert result.baseline.diverged == 2
    assert result.baseline.test.mean == pytest.approx(result.chance["score"])
    assert result.baseline.test_loss.mean == pytest.approx(result.chance["loss"])
    gain = result.techniques["l2"].improvement
    assert (gain.both_diverged, gain.p) == (2, None)  # two constant guesses are not compared
    assert all(v is None or math.isfinite(v) for v in json.loads(result.dumps())["baseline"]["test"]["ci95"])


def test_a_model_of_ones_own_without_rates(table):
    class Own(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(nn.tanh(nn.Dense(8)(x)))

    result = rj.compare(Own(), table, ["l1", "dropout"], seeds=2, train_examples=40, epochs=3)
    assert list(result.techniques) == ["l1"]


def test_one_seed_has_no_intervals_and_no_p(table):
    result = rj.compare("linear", table, {"l2": [0.01]}, seeds=1, train_examples=40, epochs=2)
    row = json.loads(result.dumps())["techniques"]["l2"]
    assert row["improvement"]["p"] is None
    assert row["test"]["ci95"] == [None, None]
    assert "l2" in result.csv()


def test_options_given_as_one_or_by_name_are_the_same(table):
    options = rj.CompareOptions(seeds=2, epochs=2, train_examples=40)
    one = rj.compare("linear", table, {"l2": [0.1]}, options)
    named = rj.compare("linear", table, {"l2": [0.1]}, seeds=2, epochs=2, train_examples=40)
    assert one.csv() == named.csv()
    assert rj.compare("linear", table, {"l2": [0.1]}, options, seeds=3).seeds == 3


def test_a_seed_means_the_same_run_wherever_a_comparison_starts(table):
    """Seeds 4 to 7, the fresh ones of 0 to 3, hold what 6 and 7 hold; another split is another comparison."""
    arguments = {"train_examples": 40, "label_noise": 0.1, "epochs": 4, "learning_rate": 3e-3}
    four = rj.compare("mlp", table, {"l2": [0.1]}, seeds=4, **arguments)
    two = rj.compare("mlp", table, {"l2": [0.1]}, seeds=2, seed=4, **arguments)
    assert two.techniques["l2"].params_sha256 == four.techniques["l2"].params_sha256[2:]
    assert len(set(four.techniques["l2"].params_sha256)) == 4
    whole = rj.data.load("wine")
    splits = [rj.compare("linear", whole, {"l2": [0.1]}, seeds=1, epochs=1, split_seed=s) for s in (0, 1)]
    assert splits[0].baseline.params_sha256 != splits[1].baseline.params_sha256


def test_schedules_of_noise_and_the_convention_of_smoothing_reach_the_runs(table):
    """They were read by no run of a comparison once."""
    arguments = {"seeds": 1, "train_examples": 40, "epochs": 4}
    plain = rj.compare("mlp", table, {"dropout": [0.5], "label_smoothing": [0.3]}, **arguments)
    other = rj.compare(
        "mlp", table, {"dropout": [0.5], "label_smoothing": [0.3]}, rate_schedule="up", smoothing="others", **arguments
    )
    assert plain.baseline.params_sha256 == other.baseline.params_sha256
    for name in ("dropout", "label_smoothing"):
        assert plain.techniques[name].params_sha256 != other.techniques[name].params_sha256


def test_integers_are_features_on_request():
    x = np.random.default_rng(0).integers(0, 5, (80, 3))
    with pytest.raises(rj.InputError, match="standardize='feature'"):
        rj.compare("linear", (x, x[:, 0] > 2), {"l2": [0.01]}, seeds=1, epochs=1)
    assert rj.compare("linear", (x, x[:, 0] > 2), {"l2": [0.01]}, seeds=1, epochs=1, standardize="feature").rows
    with pytest.raises(rj.InputError, match=r"data must be arrays \(x, y\)"):
        rj.compare("linear", x, ["l2"])


def test_arrays_of_every_kind():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    named = np.where(x[:, 0] > 0, "yes", "no")
    assert rj.compare("linear", (x, named), {"l2": [0.01]}, seeds=1, epochs=2).task == "classification"
    assert rj.compare("linear", (x, x[:, :1]), {"l2": [0.01]}, seeds=1, epochs=2).task == "regression"
    # One-hot rows, and floats of two values, are the labels that they are in a file, and the table says so.
    for y in (np.eye(2)[(x[:, 0] > 0) * 1], (x[:, :1] > 0) * 1.0):
        result = rj.compare("linear", (x, y), {"l2": [0.01]}, seeds=1, epochs=2)
        assert result.task == "classification"
        assert ("one-hot rows of 2 classes" if y.shape[1] == 2 else "2 distinct whole numbers") in str(result)
    assert rj.compare("linear", (x, y), {"l2": [0.01]}, seeds=1, epochs=2, task="regression").task == "regression"
    with pytest.raises(rj.InputError, match="all labels are the same"):
        rj.compare("linear", (x, np.zeros(80, int)), {"l2": [0.01]}, seeds=1)


def test_a_technique_that_excludes_what_always_acts_is_refused_before_any_run(table):
    runs = []
    with pytest.raises(rj.InputError, match=r"technique 'decoupled': l2 acts on .* in two modes"):
        rj.compare(
            "mlp",
            table,
            ["l1", "decoupled"],
            always={"penalties": {"loss": rj.l2(0.1)}},
            progress=lambda *step: runs.append(step),
        )
    assert not runs


def test_all_training_examples_with_their_own_labels_are_the_default():
    """Also for data of one's own that are called digits; only the embedded ones are a demonstration."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(700, 3)).astype(np.float32)
    own = rj.data.Dataset("digits", "classification", x, (x[:, 0] > 0).astype(np.int32))
    result = rj.compare("linear", own, {"l2": [0.01], "more_data": []}, seeds=1, epochs=1)
    found = {key: result.settings[key] for key in ("train_examples", "label_noise", "demonstration")}
    assert found == {"train_examples": result.settings["pool"], "label_noise": 0.0, "demonstration": False}
    assert list(result.techniques) == ["l2"]
    assert "more data" in "\n".join(result.notes())  # why it is no row
    assert "digits" not in str(result).splitlines()[0]


@pytest.mark.parametrize(("given", "expected"), [({}, (128, 0.1)), ({"train_examples": 64, "label_noise": 0}, (64, 0))])
def test_the_demonstration_says_in_its_first_line_what_it_does(given, expected):
    result = rj.compare("linear", rj.data.load("digits"), {"l2": [0.01]}, seeds=1, epochs=1, **given)
    assert (result.settings["train_examples"], result.settings["label_noise"]) == expected
    first = str(result).splitlines()[0]
    assert f"{expected[0]} of 1,077" in first
    assert ("10%" in first) == (expected[1] > 0)


def test_the_weights_of_the_chosen_settings_are_kept(result, table):
    kept = result.trained
    assert list(kept.weights) == ["baseline", *result.techniques]
    for name, row in [("baseline", result.baseline), *result.techniques.items()]:
        assert len(kept.weights[name]) == result.seeds
        runs = zip(kept.weights[name], kept.preprocessors[name], row.test.values, strict=True)
        for weights, preprocessor, accuracy in runs:
            found = np.asarray(rj.predict(kept.apply, *weights, preprocessor.transform(table.x_test))).argmax(axis=1)
            assert (found == table.y_test).mean() == pytest.approx(accuracy)
    assert "trained" not in json.loads(result.dumps())


def test_the_weights_of_rows_reach_the_runs(table):
    """Twice the weight for all changes nothing, other weights do."""
    alike = dataclasses.replace(table, weight_train=np.ones(len(table.y_train), np.float32))
    other = dataclasses.replace(table, weight_train=(1.0 + table.y_train).astype(np.float32))
    found = [
        rj.compare("linear", splits, {"l2": [0.1]}, seeds=1, epochs=2, learning_rate=0.01).baseline
        for splits in (table, alike, other)
    ]
    assert found[0].test_loss.mean == pytest.approx(found[1].test_loss.mean, rel=1e-5)
    assert found[0].test_loss.mean != pytest.approx(found[2].test_loss.mean, rel=1e-3)
