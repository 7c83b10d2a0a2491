"""The repetition of the dropout paper: its machinery on small digits, and the record that is kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.reproduce import srivastava_2014 as own
from experiments.reproduce.mnist import Cell
from experiments.reproduce.published import record

RECORD = Path(__file__).resolve().parents[3] / "experiments/records/reproduce/srivastava_2014.json"
SMALL = own.Plan(
    widths=(16, 16),
    validation=200,
    choice=20,
    updates=60,
    fewer=(15, 20, 30),
    longer=(90, 2),
    seeds=3,
    sizes=((100, 20, 3), (500, 20, 2)),
)


@pytest.mark.slow
def test_the_whole_repetition_on_small_digits(small_images, tmp_path):
    measured, more, seconds = own.run(small_images, SMALL, tmp_path / "store")
    made = record("srivastava_2014", own.PUBLICATION, measured, 0.0, **more)
    rows = {row["row"]: row for row in made["rows"]}
    assert all(len(row["runs"]) == 3 for name, row in rows.items() if "500" not in name)
    assert rows["standard net"]["measured"] < 20  # of 90 by chance
    assert [entry["examples"] for entry in more["sizes"]] == [100, 500, 1200]
    for entry in more["sizes"]:
        gains = np.subtract(entry["standard net"], entry["dropout"])
        np.testing.assert_allclose(entry["runs"], gains, atol=1e-6)
    assert more["sizes"][-1]["standard net"] == rows["standard net"]["runs"]
    assert [row[-1] for row in more["curves"][0]["errors"]] == rows["standard net"]["runs"]
    assert [len(entry["errors"]) for entry in more["longer"]] == [2, 2]
    other = {entry["examples"]: entry for entry in more["few_examples_at_the_other_rate"]}
    assert list(other) == [100, 500]
    if more["chosen"]["standard net"]["learning_rate"] == other[100]["learning_rate"]:
        assert other[100]["runs"] == more["sizes"][0]["runs"]
    assert {trial["method"] for trial in more["choice"]} == {"standard net", "dropout", *own.STRENGTHS}
    again, _, before_the_stop = own.run(small_images, SMALL, tmp_path / "store")  # from the store
    assert again == measured
    assert before_the_stop == pytest.approx(seconds)


def test_the_choice_takes_the_lowest_validation_error_and_the_loss_in_ties():
    class Result:
        def __init__(self, accuracy, loss):
            self.history = self
            self.values = {"val/accuracy": [0.1, accuracy], "val/loss": [9.0, loss]}

    trials = {
        Cell("L2", 1.0, 0.1, 10, 5, 0): Result(0.90, 0.5),
        Cell("L2", 2.0, 0.1, 10, 5, 0): Result(0.95, 0.5),
        Cell("L2", 3.0, 0.1, 10, 5, 0): Result(0.95, 0.4),
        Cell("dropout", 0.0, 0.1, 10, 5, 0): Result(0.99, 0.1),
    }
    assert own.best(trials, "L2").strength == 3.0


def test_differences_are_paired_by_seed_and_their_sign_is_judged_with_all_others():
    errors = {
        Cell(m, 0.0, 0.1, 10, 5, seed): e
        for m, base in (("a", 2.0), ("b", 1.0))
        for seed, e in ((2, base + 0.3), (0, base), (1, base + 0.1))
    }
    found = own.Errors(errors)
    assert found.of("a", 10, 5) == [2.0, 2.1, 2.3]
    assert found.gain("a", "b", 10, 5) == [1.0, 1.0, 1.0]
    assert own.difference([1.0, 1.1, 0.9], 1)["verdict"] == "higher"
    assert own.difference([-1.0, -1.1, -0.9], 1)["verdict"] == "lower"
    assert own.difference([1.0, 1.3, 0.5], 1)["verdict"] == "open"  # Student's interval of three runs is wide
    one, five = (own.difference([0.20, 0.24, 0.30], count)["simultaneous_ci95"] for count in (1, 5))
    assert five[0] < one[0] < one[1] < five[1]


def test_a_curve_leads_where_its_power_law_leads():
    plan = own.Plan()
    updates, noise = (*plan.fewer, plan.updates), np.random.default_rng(0).normal(0, 0.01, 3)
    errors = {Cell("m", 0.0, 0.1, 60, u, seed): 1.0 + 40 * u**-0.5 + noise[seed] for u in updates for seed in range(3)}
    found = own.curve(own.Errors(errors), "m", 60, plan)
    assert found["power_law"]["floor"] == pytest.approx(1.0, abs=0.05)
    assert found["at_a_million_updates"][0] == pytest.approx(1.04, abs=0.05)


def test_the_power_laws_of_the_record_are_those_of_its_errors():
    record = json.loads(RECORD.read_text())
    for one in record["curves"]:
        again = own.fitted(one["updates"], np.array(one["errors"]), record["longer"][0]["updates"])
        for name in ("power_law", "misfit"):
            assert one[name] == pytest.approx(again[name], rel=1e-4, abs=1e-9)
        for name in ("at_a_million_updates", "at_longer"):
            assert one[name] == pytest.approx(again[name], rel=1e-4)


def test_what_the_page_says_of_the_record():
    made = json.loads(RECORD.read_text())
    page = " ".join((RECORD.parents[3] / "scripts/docs/pages/reproductions.md").read_text().split())
    rows = {row["row"]: row["measured"] for row in made["rows"]}
    assert f"with {rows['standard net']:.2f}% and {rows['L2']:.2f}%" in page
    assert f"Max-norm alone is {rows['max-norm'] - 1.5:.2f} points outside" in page
    assert f"{rows['dropout']:.2f}%, and {rows['dropout + max-norm']:.2f}% with max-norm" in page
    order = {tuple(entry["pair"]): entry for entry in made["order"]}
    assert order["max-norm", "dropout"]["verdict"] == "lower"
    assert f"costs {-order['max-norm', 'dropout']['difference']:.2f} points against max-norm (shown)" in page
    curves = {entry["method"]: entry for entry in made["curves"]}
    longer = {entry["method"]: entry for entry in made["longer"]}
    assert f"the power −{curves['dropout + max-norm']['power_law']['rate']:.2f} of the updates" in page
    both, plain = (longer[m]["mean"] for m in ("dropout + max-norm", "standard net"))
    foreseen = curves["dropout + max-norm"]["at_longer"][0]
    assert f"has {both:.2f}% after 16,000 updates, where that law says {foreseen:.2f}%" in page
    assert f"the standard net {plain:.2f}%" in page
    assert f"differ by {abs(rows[own.DIFFERENCE]):.2f} points" in page
    gains = {entry["examples"]: entry["difference"] for entry in made["sizes"]}
    assert max(gains, key=gains.get) == 100
    assert f"largest there, {gains[100]:.1f} and {gains[500]:.1f} points" in page
    other = {entry["examples"]: entry for entry in made["few_examples_at_the_other_rate"]}
    assert f"former, {gains[100] - other[100]['difference']:.1f} points are the learning rate's" in page
    assert f"{other[100]['difference']:.1f} and {other[500]['difference']:.1f} points worse" in page
    assert {other[size]["verdict"] for size in (100, 500)} == {"higher"}
