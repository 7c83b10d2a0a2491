import pytest

from regjax.report import write_sweep_report
from regjax.report.search_page import best_so_far, is_range, over_range, over_rungs, search_section
from regjax.report.words import Measure

SPACE = {"l2": {"low": 1e-6, "high": 1e-1, "log": True}, "dropout": {"low": 0.0, "high": 0.8, "log": False}}
VALUES = [(1e-5, 0.1), (1e-4, 0.2), (1e-3, 0.3), (1e-2, 0.4), (0.05, 0.5)]
STEPS = [  # setting, until, epochs, score
    [0, 2, 4, 0.5], [1, 2, 4, 0.7], [2, 2, 4, None], [3, 2, 4, 0.6], [4, 2, 4, 0.65],
    [1, 6, 8, 0.8], [4, 6, 8, 0.9],
]  # fmt: skip


def setting(values, score, finished, reference=False):
    ci95 = [None, None] if score is None else [score - 0.11, score + 0.11]
    return {
        "values": dict(zip(SPACE, values, strict=True)), "reference": reference, "finished": finished, "runs": 2,
        "failed": int(score is None), "score": {"mean": score, "ci95": ci95},
        "train_score": 0.95, "val_loss": 0.3, "epochs": 6.0 if finished else 2.0, "over_reference": None,
    }  # fmt: skip


def results(**changes):
    """Five trials, of which two trained to the end, one of the others without a score, and the reference."""
    last = {trial: (until, score) for trial, until, _, score in STEPS}
    settings = [setting(values, last[i][1], last[i][0] == 6) for i, values in enumerate(VALUES)]
    settings.append(setting((0.0, 0.0), 0.75, True, reference=True))
    search = {
        "method": "halving", "trials": 5, "finished": 2, "space": SPACE, "reduction": 3, "places": 8, "steps": STEPS,
        "rungs": [{"epochs": 2, "trials": 5}, {"epochs": 6, "trials": 2}],
        "epochs": 36, "updates": 72, "whole_epochs": 60, "reference_epochs": 12,
    }  # fmt: skip
    return {
        "dataset": "digits", "metric": "accuracy", "seeds": 2, "validation_examples": 100,
        "parameters": {name: sorted(values[i] for values in VALUES) for i, name in enumerate(SPACE)},
        "search": search | changes.pop("search", {}), "settings": settings, "ranking": [4, 1, 5],
        "best": {"setting": 4, "over_second": None},
        "reference": {"off": {"l2": 0.0, "dropout": 0.0}, "chosen": [], "each": []},
        "one_standard_error": None, "confirm": None, "restore_best": False, **changes,
    }  # fmt: skip


MEASURE = Measure.of(results())


def test_the_best_so_far_counts_the_epochs_of_all_trials_and_only_what_trained_to_the_end():
    text = best_so_far(results(), None, MEASURE).description
    assert "80.0 after 28 epochs, 90.0 after 36 epochs; 36 epochs in all" in text
    assert "70.0" not in text


def test_rungs_have_their_trials_and_scores():
    text = over_rungs(results(), MEASURE).description
    assert "5 trials until epoch 2, 50.0 to 70.0; 2 trials until epoch 6, 80.0 to 90.0" in text


def test_only_trials_that_trained_to_the_end_have_a_score_over_the_range():
    text = over_range("l2", results(), 0.75, MEASURE).description
    assert "0.0001: 80.0, 0.05: 90.0" in text
    assert "70.0" not in text
    assert "Halted trials: 3. Reference: 75.0." in text


def test_ranges_are_told_from_lists():
    assert is_range(results(), "l2")
    assert not is_range(results(search={"space": {"l2": [0.1, 0.2]}}), "l2")
    assert not is_range({}, "l2")


def test_the_page_lists_ranked_and_halted_trials_apart(tmp_path, check):
    text = check(write_sweep_report(results(), tmp_path).read_text()).text
    head, _, rest = text.rpartition("Settings, best first")
    ranked, halted = rest.split("Halted trials", 1)
    assert "3 trials and the epochs they had" in halted
    assert "36 epochs in all (72 updates), where training all to the end takes 60" in head
    assert "near the end of its range" not in text
    for score in ("90.0", "80.0", "75.0"):
        assert score in ranked
    for score in ("60.0", "50.0"):
        assert score not in ranked
        assert score in halted
    assert halted.index("60.0") < halted.index("50.0")  # both had two epochs
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "search.png", "search.svg", "sweep.png", "sweep.svg",
    ]  # fmt: skip
    assert write_sweep_report(results(), tmp_path / "again").read_text() == (tmp_path / "report.html").read_text()


def test_a_search_without_halted_trials_has_no_rungs():
    whole = results(search={"method": "random", "steps": [[i, 6, 12, 0.5 + i / 10] for i in range(5)]})
    section = search_section(whole, 0.75, MEASURE)
    assert len(section["panels"]) == 1
    assert section["halted"] is None


@pytest.mark.parametrize("changes", [{"trials": 2}, None])
def test_there_is_no_section_without_a_search_of_three(changes):
    found = results(search=changes or {})
    if changes is None:
        del found["search"]
    assert search_section(found, None, MEASURE) is None


def test_a_best_near_the_end_of_its_range_is_said(tmp_path, check):
    found = results()
    found["settings"][4]["values"]["l2"] = 0.09
    found["parameters"]["l2"][-1] = 0.09
    text = check(write_sweep_report(found, tmp_path).read_text()).text
    assert "The best l2 is near the end of its range" in text
    assert "The best dropout" not in text
