"""What is said of a sweep follows from its numbers; the tests read numbers and names, and compare cases."""

import re

import pytest

from regjax.analysis import FEWEST_RUNS
from regjax.report import sweep_words as words
from tests.report.test_sweep_page import sweep


def results_of(gains, seeds=8, **changes):
    """A sweep of l2 = 1, 2, ... and 0; `gains` are the differences from the reference, about which runs scatter."""
    noise = [0.01, -0.01, 0.02, -0.02, 0.0, 0.015, -0.005, -0.01, 0.005]

    def score(values, seed):
        i = int(values["l2"])
        return 0.8 if i == 0 else 0.8 + gains[i - 1] + noise[(seed + 3 * i) % len(noise)]

    return sweep({"l2": [float(i + 1) for i in range(len(gains))]}, {"l2": 0.0}, seeds, score, **changes)


def numbers(text):
    return re.findall(r"[+−]?\d+\.\d+", text)


def test_the_headline_has_the_score_and_the_difference_with_their_intervals():
    results = results_of([0.05, 0.02])
    setting = results["settings"][0]
    shown = [100 * value for value in (setting["score"]["mean"], *setting["score"]["ci95"])]
    gain = setting["over_reference"]
    expected = [f"{value:.1f}" for value in shown] + [f"{100 * gain['mean']:.1f}"]
    expected += [f"{100 * end:+.1f}" for end in gain["ci95"]] + [f"{gain['p_adjusted']:.3f}"]
    assert numbers(words.headline(results)) == expected
    assert " points" in words.headline(results)
    assert "corrected for 2 settings" in words.headline(results)


def test_the_reference_as_best_has_no_difference_and_nothing_to_confirm():
    results = results_of([-0.05, -0.1], confirm=None)
    assert len(numbers(words.headline(results))) == 3  # its score and the ends of the interval
    assert words.confirmation(results)
    assert words.sweep_sentences(results)[-1] == words.confirmation(results)


@pytest.mark.parametrize(
    ("gains", "seeds", "apart"),
    [
        ([0.1, 0.02], 8, True),
        ([0.1, 0.02], 5, False),  # no p is below 0.0625
        ([0.05, 0.049], 8, False),
        ([0.1, 0.02], 1, False),
    ],
)
def test_best_and_second_are_told_apart_by_the_test_and_the_interval(gains, seeds, apart):
    assert words.told_apart(results_of(gains, seeds)["best"]["over_second"]) == apart


def test_the_second_is_named_with_the_difference_its_interval_and_p():
    results = results_of([0.1, 0.02])
    gain = results["best"]["over_second"]
    text = words.second(results)
    assert "l2 = 2" in text
    expected = [f"{100 * gain['mean']:.1f}", *(f"{100 * end:+.1f}" for end in gain["ci95"]), f"{gain['p']:.3f}"]
    assert numbers(text) == expected
    few = words.second(results_of([0.1, 0.02], seeds=5))
    assert f"{FEWEST_RUNS} seeds" in few  # as many as it would take


def test_a_difference_too_small_for_the_digits_is_not_shown_as_0():
    results = results_of([0.05, 0.02])
    results["best"]["over_second"] |= {"mean": 2e-5, "ci95": [-1e-3, 2e-3]}
    assert "0.002 points" in words.second(results)


def test_settings_that_tie_are_described_otherwise():
    tied = sweep({"l2": [1.0, 2.0]}, seeds=3, score=lambda values, seed: 0.8 + 0.01 * seed)
    assert numbers(words.second(tied)) == ["1.000"]  # p alone
    apart = tied | {"best": tied["best"] | {"over_second": {"setting": 1, "mean": 0.01, "ci95": [0, 1], "p": 1.0}}}
    assert words.headline(apart) != words.headline(tied)


def test_one_seed_has_neither_intervals_nor_a_test():
    results = results_of([0.05, 0.02], seeds=1)
    setting = results["settings"][results["best"]["setting"]]
    gain = setting["over_reference"]["mean"]
    assert numbers(words.headline(results)) == [f"{100 * setting['score']['mean']:.1f}", f"{100 * gain:.1f}"]
    assert len(numbers(words.second(results))) == 1


def test_the_number_of_settings_and_examples_behind_the_choice_is_named():
    [text] = words.optimism(results_of([0.05, 0.02]))
    assert "3 settings" in text
    assert "400 validation examples" in text
    assert words.optimism(sweep({"l2": [1.0]}, seeds=2)) == []  # nothing was chosen


def test_the_reference_is_described():
    results = results_of([0.05])
    results["reference"] = {"off": {"l2": 0.0}, "chosen": ["learning_rate"], "each": ["train_examples"]}
    text = words.reference_sentence(results)
    assert all(part in text for part in ("l2 = 0", "learning_rate", "train_examples"))
    assert "learning_rate" not in words.reference_sentence(results_of([0.05]))
    assert words.reference_sentence(sweep({"l2": [1.0]})) != words.reference_sentence(results_of([0.05]))
    failed = sweep({"l2": [1.0]}, {"l2": 0.0}, score=lambda values, seed: 0.5 if values["l2"] else None)
    assert len(words.reference_sentence(failed)) > len(words.reference_sentence(results_of([0.05])))


def test_the_terminal_has_the_commands_last():
    results = results_of([0.05])
    *_, line = words.sweep_sentences(results)
    assert line.strip() == results["confirm"]["commands"][0]
    assert "" not in words.sweep_sentences(sweep({"l2": [1.0]}, score=lambda values, seed: None, confirm=None))


def test_what_the_commands_do_depends_on_them():
    results = results_of([0.05])
    kept = results | {"restore_best": False}
    loops = results | {"confirm": results["confirm"] | {"command": "train", "with": 0}}
    alone = results | {"confirm": results["confirm"] | {"command": "train", "with": None}}
    readings = [words.reading_of_confirmation(one) for one in (results, kept, loops)]
    assert readings[1] == ""
    assert len(set(readings)) == 3
    assert len({words.confirmation(one) for one in (results, loops, alone)}) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epoch_chosen": "best", "over_last_epoch": 0.014}, ("best epoch", "1.4 points above")),
        ({"epoch_chosen": "best", "over_last_epoch": -0.002}, ("best epoch", "0.2 points below")),
        ({"epoch_chosen": "best", "over_last_epoch": 0.0}, ("best epoch", "level with")),
        ({"epoch_chosen": "best", "over_last_epoch": None}, ("best epoch",)),
        ({"epoch_chosen": "stopped", "over_last_epoch": None}, ("When each run stops",)),
        ({"epoch_chosen": None}, ()),
        ({}, ()),  # a file of an earlier version
    ],
)
def test_the_choice_of_the_epoch_on_the_same_examples_is_told_with_its_size(changes, said):
    results = results_of([0.05, 0.02], **changes)
    sentences = words.epoch_choice(results)
    assert len(sentences) == bool(said)
    assert all(word in sentences[0] for word in said)
    assert all("optimistic" in sentence and sentence in words.sweep_sentences(results) for sentence in sentences)


def test_a_single_setting_is_optimistic_by_its_epoch_alone():
    changes = {"epoch_chosen": "best", "over_last_epoch": 0.014}
    results = sweep({"l2": [1.0]}, seeds=1, score=lambda values, seed: 0.8, **changes)
    assert words.optimism(results) == []
    assert len(words.epoch_choice(results)) == 1


FOLDS = {"folds": 4, "repeats": 2, "ratio": 1 / 3, "examples": 90, "order": "random"}


def test_folds_are_no_seeds_in_any_sentence():
    """The numbers are those of the folds; that few seeds cannot be tested does not hold for them."""
    results = results_of([0.1, 0.02], cross_validation=FOLDS) | {"seeds": 2, "validation_examples": 90}
    said = " ".join(words.sweep_sentences(results)[:4])
    assert "over folds" in said
    assert "seed" not in said.replace("with new seeds", "")
    assert "90" in words.optimism(results)[0]
    assert words.runs_of(results) in said
    in_time = results | {"cross_validation": FOLDS | {"order": "time"}}
    assert words.runs_of(in_time | {"seeds": 1}) == "4 folds in order of time"
    assert "cut" not in words.runs_of(in_time)


def test_folds_that_agree_have_no_p():
    results = results_of([0.1, 0.02], cross_validation=FOLDS) | {"seeds": 1}
    results["best"]["over_second"] |= {"p": None, "ci95": [None, None]}
    assert "in every fold; folds that agree do not tell them apart" in words.second(results)


def test_the_one_standard_error_rule_names_its_setting_and_its_error():
    results = results_of([0.1, 0.095])
    results["one_standard_error"] = {"setting": 1, "parameter": "l2", "error": 0.0123}
    assert numbers(words.simplest(results)) == ["1.2"]
    assert words.name_of(results["settings"][1]["values"]) in words.simplest(results)
    results["one_standard_error"]["setting"] = results["best"]["setting"]
    assert words.simplest(results).startswith("No stronger l2")
    assert words.simplest(results | {"one_standard_error": None}) == ""


def test_the_end_of_the_grid_is_told_by_the_one_standard_error_rule():
    """The settings are l2 = 1 and 2, of which the second is the strongest."""
    results = results_of([0.1, 0.095], one_standard_error={"setting": 1, "parameter": "l2", "error": 0.0123})
    assert words.simplest(results).endswith("none stronger was tried.")
    results = results_of([0.09, 0.1], one_standard_error={"setting": 1, "parameter": "l2", "error": 0.0123})
    assert results["best"]["setting"] == 1
    assert words.simplest(results).startswith("The best has the strongest l2 that was tried")
