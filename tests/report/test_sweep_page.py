import math

import pytest

from regjax.report import write_sweep_report
from regjax.report.sweep_page import rank, summarize


def lanes(l2=(1e-4, 1e-3, 1e-2), dropout=(0.0, 0.5), seeds=3):
    return [
        {
            "l2": a,
            "dropout": d,
            "seed": s,
            "val_score": 0.8 + 0.05 * (a == 1e-3) + 0.02 * (d == 0.5) + 0.001 * s,
            "val_loss": 0.5,
            "train_score": 0.99,
            "epochs": 50,
            "status": "completed",
        }
        for a in l2
        for d in dropout
        for s in range(seeds)
    ]


def sweep(**changes):
    return {
        "dataset": "digits",
        "metric": "accuracy",
        "seeds": 3,
        "parameters": {"l2": [1e-4, 1e-3, 1e-2], "dropout": [0.0, 0.5]},
        "lanes": lanes(),
        "reproduce": {"command": "python -m experiments.sweep"},
        **changes,
    }


def test_summary_by_hand():
    found = summarize([{"a": 1, "val_score": v, "epochs": 10} for v in (1.0, 2.0, 3.0)], ["a"])[0]
    # t(2 degrees of freedom, 97.5%) = 4.3027; 4.3027 * 1 / sqrt(3) = 2.4841
    assert found.mean == 2.0
    assert found.ci95 == pytest.approx((-0.4841, 4.4841), abs=1e-4)
    assert (found.lanes, found.failed, found.epochs) == (3, 0, 10.0)
    assert math.isnan(found.loss)


def test_a_failed_run_keeps_its_setting_from_being_best():
    rows = [
        {"a": 1, "val_score": 0.99, "status": "completed"},
        {"a": 1, "val_score": None, "status": "diverged"},
        {"a": 2, "val_score": 0.5, "val_loss": 2.0},
        {"a": 3, "val_score": 0.5, "val_loss": 1.0},
        {"a": 4, "val_score": 0.9, "status": "diverged"},
    ]
    ranked = rank(summarize(rows, ["a"]))
    assert [s.values[0] for s in ranked] == [3, 2, 1, 4]  # ties by lower loss
    assert [s.failed for s in ranked] == [0, 0, 1, 1]
    assert [s.values[0] for s in rank(summarize(rows[2:3] + rows[:1], ["a"]), lower=True)] == [2, 1]


def test_two_parameters(tmp_path, check):
    path = write_sweep_report(sweep(), tmp_path)
    page = check(path.read_text())
    assert page.tags.count("svg") == 3
    assert "Best on validation: l2 = 0.001 and dropout = 0.5, with accuracy 87.1 % (95% interval" in page.text
    assert "The best dropout" not in page.text  # two values have nothing but ends
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == [
        "heatmap.png", "heatmap.svg", "sweep.png", "sweep.svg",
    ]  # fmt: skip
    assert write_sweep_report(sweep(), tmp_path / "again").read_bytes() == path.read_bytes()


def test_one_parameter_at_its_end(tmp_path, check):
    rows = [{"l2": v, "seed": 0, "val_score": v} for v in (0.1, 0.2, 0.3)]
    results = sweep(parameters={"l2": [0.1, 0.2, 0.3]}, lanes=rows, seeds=1, metric="r2", reproduce=None)
    text = check(write_sweep_report(results, tmp_path).read_text()).text
    assert "Best on validation: l2 = 0.3, with R² 0.300, one seed." in text
    assert "The best l2 is at the end of what was tried" in text


def test_names_three_parameters_and_failures(tmp_path, check):
    bad = "<script>alert(1)</script>"
    rows = [{**lane, bad: word} for lane in lanes() for word in ("loss", "proximal")]
    for lane in rows:
        lane["val_score"] = None
    results = sweep(parameters={"l2": [], "dropout": [], bad: ["loss", "proximal"]}, lanes=rows, dataset=bad)
    page = check(write_sweep_report(results, tmp_path).read_text())
    assert "none can be called best" in page.text
    assert bad in page.text
    assert "36 runs ended without a finite score" in page.text


def test_nothing_to_show_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least one parameter"):
        write_sweep_report(sweep(parameters={}), tmp_path)
    with pytest.raises(ValueError, match="one lane"):
        write_sweep_report(sweep(lanes=[]), tmp_path)
