import dataclasses
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest

from regjax.analysis import diagnose, read_predictions, run_interval, write_predictions
from regjax.comparison import summary
from regjax.comparison.choose import Pick
from regjax.comparison.conclude import SplitResult, _chosen, conclude
from regjax.comparison.procedure import compare
from regjax.data import from_arrays
from regjax.report.compare_page import write_compare_report


@pytest.fixture(scope="module")
def result(stages):
    part = SplitResult.of(stages.plan, stages.rows, stages.scorer, stages.tests, stages.on_train, {}, {})
    return conclude(stages.plan, [part], time.perf_counter())


def test_rows_hold_what_was_trained_chosen_and_evaluated(result, stages):
    assert list(result.techniques) == ["l2"]
    for row in result.rows():
        given, tests = stages.rows[row.name], stages.tests[row.name]
        assert row.chosen == given.pick.entry()
        assert row.test.values == tuple(evaluation.score for evaluation in tests)
        assert row.test_loss.mean == pytest.approx(np.mean([evaluation.loss for evaluation in tests]))
        assert [point.value for point in row.grid] == list(given.technique.values)
        for point, outcome in zip(row.grid, given.outcomes, strict=True):
            assert point.select_score.values == tuple(evaluation.score for evaluation in outcome.select)
            assert point.select_loss == pytest.approx(np.mean([evaluation.loss for evaluation in outcome.select]))
        assert row.lanes == 2 * (len(given.outcomes) + 1)  # the chosen setting is trained anew for the test
        assert row.epochs.mean == 3
        assert row.seconds == pytest.approx(sum(outcome.seconds for outcome in (*given.outcomes, given.fresh)))


def test_only_techniques_are_compared_with_the_baseline(result):
    assert result.baseline.improvement is None
    for row in result.techniques.values():
        differences = np.subtract(row.test.values, result.baseline.test.values)
        assert row.improvement.mean == pytest.approx(differences.mean())


def test_all_rows_are_ranked_and_improvements_have_a_practical_size(result):
    assert [(pair.a, pair.b) for pair in result.pairs] == [("baseline", "l2")]
    assert result.pairs[0].mean == pytest.approx(-result.techniques["l2"].improvement.mean)
    assert (result.groups, result.best) == ({}, None)  # of two runs
    gain, loss = result.techniques["l2"].improvement, result.techniques["l2"].loss_improvement
    assert gain.practical == 0.01
    assert loss.practical == pytest.approx(0.02 * result.baseline.test_loss.mean)
    assert sum(gain.posterior) == pytest.approx(sum(loss.posterior)) == pytest.approx(1.0)


def test_the_weights_are_those_of_the_chosen_setting(result, stages):
    assert list(result.trained.weights) == ["baseline", "l2"]
    for name, weights in result.trained.weights.items():
        assert [id(w) for w in weights] == [id(run.weights) for run in stages.rows[name].chosen.results]


def test_predictions_are_those_of_the_test_part(result, stages):
    """The scores of the table follow from them."""
    predictions, splits = result.predictions, stages.plan.splits
    np.testing.assert_array_equal(predictions.seeds, [7, 8])  # 5 and 6 chose
    np.testing.assert_array_equal(predictions.y, [splits.y_test] * 2)
    np.testing.assert_array_equal(predictions.rows, [splits.indices["test"]] * 2)
    for row in result.rows():
        np.testing.assert_allclose(predictions.hits(row.name).mean(axis=1), row.test.values)
        np.testing.assert_allclose(predictions.losses(row.name).mean(axis=1), row.test_loss.values, rtol=1e-5)
        assert row.calibration.log_loss.values == pytest.approx(row.test_loss.values, rel=1e-5)
        assert sum(row.calibration.reliability["counts"]) == 2 * len(splits.y_test)


def test_a_test_set_of_its_own_has_no_positions(stages):
    plan = stages.plan
    bare = dataclasses.replace(plan, splits=dataclasses.replace(plan.splits, indices={}))
    part = SplitResult.of(bare, stages.rows, stages.scorer, stages.tests, stages.on_train, {}, {})
    result = conclude(bare, [part], time.perf_counter())
    assert result.predictions.rows is None


def test_groups_are_the_units_of_intervals_and_of_the_diagnosis(stages, monkeypatch):
    """Eight rows of each patient: intervals and resolution go by patients, and so do the limits of the gap."""
    plan = stages.plan
    groups = {part: np.arange(len(rows)) // 8 for part, rows in plan.splits.indices.items()}
    grouped = dataclasses.replace(plan, splits=dataclasses.replace(plan.splits, groups=groups))
    seen = []
    monkeypatch.setattr(summary, "diagnose", lambda *args, n_val, **more: seen.append(n_val) or diagnose(*args, **more))
    part = SplitResult.of(grouped, stages.rows, stages.scorer, stages.tests, stages.on_train, {}, {})
    result = conclude(grouped, [part], time.perf_counter())
    assert seen == [len(plan.splits.y_stop) // 8] * 2
    hits = {name: result.predictions.hits(name).astype(float) for name in ("baseline", "l2")}
    interval = run_interval(hits["l2"] - hits["baseline"], examples=np.stack([groups["test"]] * 2), counted=True)
    gain = result.techniques["l2"].improvement
    assert gain.ci95 == pytest.approx(interval[1:])
    assert gain.resolution == pytest.approx(np.log(40) / (len(groups["test"]) // 8))


@pytest.mark.slow
def test_a_reader_of_the_predictions_finds_the_intervals_of_the_table(tmp_path):
    """From predictions.npz and results.json alone, by groups of unequal size and over several splits."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4)).astype(np.float32)
    patients = np.array([f"patient {i}" for i in np.sort(rng.integers(0, 60, 300))])
    data = from_arrays(x, (x[:, 0] + rng.normal(size=300) > 0).astype(np.int32), groups=patients)
    found = compare("linear", data, {"l2": (0.1,)}, seeds=6, epochs=2, learning_rate=0.01)
    write_predictions(found.predictions, tmp_path / "predictions.npz")
    content, read = found.to_json(), read_predictions(tmp_path / "predictions.npz")
    assert np.unique(read.groups).tolist() == list(range(content["settings"]["test_units"]))
    for run, rows in enumerate(read.rows):  # two examples have one number where they have one patient
        np.testing.assert_array_equal(
            read.groups[run][:, None] == read.groups[run], patients[rows][:, None] == patients[rows]
        )
    splits, gains = [split for split, _ in content["runs"]], content["techniques"]["l2"]
    losses = read.losses("baseline") - read.losses("l2")
    of_loss = run_interval(losses, splits=splits, examples=read.units)
    assert gains["loss_improvement"]["ci95"] == pytest.approx(of_loss[1:], rel=1e-4)
    hits = read.hits("l2").astype(float) - read.hits("baseline")
    sizes = np.concatenate([np.unique(own, return_counts=True)[1] for own in read.groups])
    counted = np.mean(sizes**2) / np.mean(sizes) * len(sizes) / read.groups.size
    of_hits = run_interval(hits, splits=splits, examples=read.units, counted=counted)
    assert gains["improvement"]["ci95"] == pytest.approx(of_hits[1:])


@pytest.mark.parametrize(("fraction", "tested"), [(0.1, 1), (0.2, 2), (0.3, 3)])
@pytest.mark.slow
def test_too_few_test_groups_have_neither_interval_nor_test(fraction, tested, tmp_path):
    """Terminal, page and file say so in words, and what to do; none has a number that is not one."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(220, 4)).astype(np.float32)
    data = from_arrays(x, (x[:, 0] > 0).astype(np.int32), groups=np.arange(220) % 10)
    options = {"seeds": 6, "splits": 1, "epochs": 2, "learning_rate": 0.01, "test_fraction": fraction}
    found = compare("linear", data, {"more_data": (), "l2": (0.1,)}, **options)
    content = found.to_json()
    assert content["settings"]["test_units"] == tested
    for gain in (content["techniques"]["l2"]["improvement"], content["learning_curve"]["doubling"]):
        assert gain["ci95"] == [None, None]
        assert gain["p"] is gain["p_adjusted"] is gain["posterior"] is gain["minimum_detectable_effect"] is None
    assert content["pairs"] == []
    assert content["groups"] == {}
    page = re.sub("<(svg|style).*?</(svg|style)>", "", write_compare_report(content, tmp_path).read_text(), flags=re.S)
    for text in (content["caution"], str(found), page):
        assert f"Too few groups in the test part: {tested}" in text
        assert "--test_fraction" in text
        assert not re.search(r"\bnan\b|maxT", text)
    assert "adjusted p" not in page
    assert f"with {tested} group{'s' * (tested > 1)} in the test part nothing can be said about chance" in page
    assert f"Whether more data would help cannot be tested with {tested} group" in str(found)


def test_facts_of_the_comparison(result, stages):
    assert (result.dataset, result.task, result.metric, result.seeds) == ("table", "classification", "accuracy", 2)
    assert result.settings == stages.plan.settings() | {
        "learning_rate_search": None,
        "importance_left_out": "",
        "test_units": len(stages.plan.splits.y_test),
    }
    select = stages.runner.scorer.chance.loss
    assert result.chance == {
        "score": stages.scorer.chance.score, "loss": stages.scorer.chance.loss, "select_loss": select,
    }  # fmt: skip
    assert {"jax", "numpy"} <= result.versions.keys()
    assert 0 <= result.seconds < 60


def made_row(name, value, score):
    """A row of one setting, as far as its entry `chosen` needs it."""
    outcome = SimpleNamespace(trial=SimpleNamespace(value=value), select=[SimpleNamespace(score=score)])
    return SimpleNamespace(
        pick=Pick(0, "strength", value, None, "best", score),
        outcomes=[outcome],
        technique=SimpleNamespace(name=name),
    )


def test_a_row_that_some_splits_lack_is_scored_on_all_of_them():
    """A combination on the two easy splits of three: on the hard one its stand-in did the work, and counts."""
    own = [made_row("combination", 0.5, 0.9), made_row("combination", 0.5, 0.8)]
    used = [*own, made_row("l2", 0.1, 0.4)]
    entry = _chosen(own, used, 1.0)
    assert entry["select_score"] == pytest.approx((0.9 + 0.8 + 0.4) / 3)
    assert entry["values"] == [0.5, 0.5, None]
    assert _chosen(own, used, -1.0)["select_score"] == pytest.approx(-0.7)
