import pytest

from regjax.cli.grid import Point
from regjax.cli.settings import settings_of
from regjax.report import write_sweep_report
from regjax.report.sweep_page import SweepPoint, _against, _only_reference
from regjax.report.words import Measure

EXAMPLES = 400
COMMAND = "python -m experiments.compare --a='b'"


def sweep(parameters, off=None, seeds=3, score=None, **changes):
    """`results.json` of a sweep; `score` is a function of the values and the seed, None for a failed run."""
    off = {} if off is None else off
    grid = [{}]
    for name, values in parameters.items():
        grid = [point | {name: value} for point in grid for value in values]
    points = [Point(values, bool(off) and all(values[name] == off[name] for name in off)) for values in grid]
    if off and not any(point.reference for point in points):
        points.append(Point(grid[0] | off, True))
    score = score or (lambda values, seed: 0.8 + 0.05 * (values["l2"] == 1e-3) + 0.01 * seed)
    table = []
    for point in points:
        for seed in range(seeds):
            found = score(point.values, seed)
            row = {"val_loss": 0.5, "train_score": 0.99, "epochs": 50}
            table.append(row | {"val_score": found, "status": "completed" if found else "diverged"})
    metric = changes.get("metric", "accuracy")
    return {
        "dataset": "digits",
        "metric": metric,
        "seeds": seeds,
        "parameters": parameters,
        "validation_examples": EXAMPLES,
        **settings_of(table, points, off, [EXAMPLES] * seeds if metric == "accuracy" else None),
        "confirm": {
            "with": len(points) - 1,
            "command": "compare",
            "commands": ["python -m experiments.compare --a='b'"],
        },
        "restore_best": True,
        "reproduce": {"command": "python -m experiments.sweep"},
        **changes,
    }


def test_the_choice_of_the_epoch_is_told_where_scores_are_shown(tmp_path):
    """At the head of the page and below the figures and the table; not where the last epoch is scored."""
    chosen = sweep({"l2": [1e-4, 1e-3]}, {"l2": 0.0}, epoch_chosen="best", over_last_epoch=0.014)
    page = " ".join(write_sweep_report(chosen, tmp_path / "a").read_text().split())
    assert page.count("1.4 points above") == 1
    assert page.count("at the best epoch of each run") == 2
    last = write_sweep_report(chosen | {"epoch_chosen": None}, tmp_path / "b").read_text()
    assert "best epoch" not in last


TWO = {"l2": [1e-4, 1e-3, 1e-2], "dropout": [0.2, 0.5]}
OFF = {"l2": 0.0, "dropout": 0.0}


def test_two_parameters(tmp_path, check):
    path = write_sweep_report(sweep(TWO, OFF), tmp_path)
    page = check(path.read_text())
    assert page.tags.count("svg") == 3
    assert page.tags.count("tr") == 1 + 3 * 2 + 1  # the heading, the grid and the reference
    assert "The best dropout" not in page.text  # two values have nothing but ends
    assert COMMAND in page.text
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == [
        "heatmap.png", "heatmap.svg", "sweep.png", "sweep.svg",
    ]  # fmt: skip
    assert write_sweep_report(sweep(TWO, OFF), tmp_path / "again").read_bytes() == path.read_bytes()


def test_numbers_of_the_page_are_those_of_the_results(tmp_path, check):
    results = sweep({"l2": [1e-3, 0.0]}, {"l2": 0.0})
    text = check(write_sweep_report(results, tmp_path).read_text()).text
    best = results["settings"][0]
    assert f"86.0 {100 * best['score']['ci95'][0]:.1f} to {100 * best['score']['ci95'][1]:.1f}" in text
    assert "+5.0" in text
    assert "+5.0 to +5.0" not in text  # it is the same in every seed, which gives no interval


def test_no_interval_of_an_accuracy_leaves_its_range(tmp_path):
    """Two seeds of 0.5 and 0.995: Student's interval reaches from -240 to 390%."""
    results = sweep({"l2": [1e-3, 1e-2]}, seeds=2, score=lambda values, seed: (0.5, 0.995)[seed])
    low, high = results["settings"][0]["score"]["ci95"]
    assert 0 < low < high < 1


def test_one_parameter_at_its_end(tmp_path, check):
    results = sweep(
        {"l2": [0.1, 0.2, 0.3]}, seeds=1, score=lambda values, seed: values["l2"], metric="r2", reproduce=None,
        confirm=None,
    )  # fmt: skip
    page = check(write_sweep_report(results, tmp_path).read_text())
    assert "0.300" in page.text
    assert "The best l2 is at the end of what was tried" in page.text
    assert page.tags.count("th") == 5 + 3  # no column for a difference from the reference, which there is not


def test_a_reference_that_was_added_is_no_end_of_what_was_tried(tmp_path, check):
    results = sweep({"l2": [0.1, 0.2, 0.3]}, {"l2": 0.0}, score=lambda values, seed: 0.9 - values["l2"])
    assert results["settings"][results["best"]["setting"]]["reference"]
    assert "at the end of what was tried" not in check(write_sweep_report(results, tmp_path).read_text()).text


def test_names_three_parameters_and_failures(tmp_path, check):
    bad = "<script>alert(1)</script>"
    parameters = {**TWO, bad: ["loss", "proximal"]}
    results = sweep(parameters, score=lambda values, seed: None, dataset=bad, confirm=None)
    page = check(write_sweep_report(results, tmp_path).read_text())
    assert "none can be called best" in page.text
    assert bad in page.text
    assert "36 runs ended without a finite score" in page.text


def test_a_failed_setting_stands_last_and_says_so(tmp_path, check):
    results = sweep({"l2": [0.1, 0.2]}, {"l2": 0.0}, score=lambda v, seed: None if (v["l2"], seed) == (0.2, 1) else 0.5)
    text = check(write_sweep_report(results, tmp_path).read_text()).text
    assert "1 failed" in text.rpartition("0.2")[2]


def test_nothing_to_show_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least one parameter"):
        write_sweep_report(sweep(TWO) | {"parameters": {}}, tmp_path)
    with pytest.raises(ValueError, match="one setting"):
        write_sweep_report(sweep(TWO) | {"settings": []}, tmp_path)


def drawn_against(drawn, results, name):
    parameters = results["parameters"]
    points = [SweepPoint.of(setting, parameters) for setting in results["settings"]]
    ranked = [points[i] for i in results["ranking"]]
    grid = [point for point in ranked if point.in_grid]
    index = list(parameters).index(name)
    return drawn(_against(name, index, grid, ranked[0], _only_reference(points), Measure.of(results)))


def test_the_reference_is_a_line_across_and_no_point_of_the_grid(drawn):
    results = sweep(TWO, OFF)
    axes = drawn_against(drawn, results, "l2")
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in dashed] == [pytest.approx(0.81)]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.0001", "0.001", "0.01"]
    band = axes.patches[0].get_bbox()
    assert [band.y0, band.y1] == pytest.approx(results["settings"][-1]["score"]["ci95"])


def test_several_references_are_no_line(drawn):
    parameters = {"train_examples": [50, 100], "l2": [0.0, 1e-3]}
    axes = drawn_against(drawn, sweep(parameters, {"l2": 0.0}), "l2")
    assert not [line for line in axes.lines if line.get_linestyle() == "--"]


def test_the_training_curve_is_beside_that_of_validation(drawn):
    results = sweep({"l2": [0.01, 0.1, 1.0]}, {"l2": 0.0}, 2, lambda values, seed: 0.5)
    for i, setting in enumerate(results["settings"]):
        setting["train_score"] = 0.9 - i / 10
    axes = drawn_against(drawn, results, "l2")
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert lines["validation"] == [0.5] * 3
    assert lines["training"] == pytest.approx([0.9, 0.8, 0.7])
