import pytest

from regjax.report.table import loss_table, table
from regjax.report.words import MINUS, NONE, Measure

ACCURACY = Measure.of({"metric": "accuracy", "task": "classification"})
R2 = Measure.of({"metric": "r2", "task": "regression"})


def spread(mean, half=0.01):
    return {"mean": mean, "ci95": [mean - half, mean + half]}


def row(name, gain=None, **fields):
    return {
        "name": name, "title": name.upper(), "train": spread(0.995), "test": spread(0.8), "test_loss": spread(0.5),
        "generalization_gap": spread(0.195), "epochs": spread(20.0), "improvement": gain, **fields,
    }  # fmt: skip


@pytest.mark.slow
def test_a_detectable_effect_that_is_not_known_has_a_reason(make):
    results = make(10).to_json()
    told = "fewer than 10 answers differ"
    assert told not in table(results, Measure.of(results))["caption"]
    results["techniques"]["l2"]["improvement"]["minimum_detectable_effect"] = None
    assert told in table(results, Measure.of(results))["caption"]
    few = make(4).to_json()  # there it is for lack of runs, which the head of the page says
    assert told not in table(few, Measure.of(few))["caption"]


GAIN = {"mean": 0.035, "ci95": [0.01, 0.06], "p": 0.0004, "p_adjusted": 0.0123, "minimum_detectable_effect": 0.02}


def results(*techniques, **fields):
    return {"baseline": row("baseline"), "techniques": {one["name"]: one for one in techniques}, **fields}


def texts(row):
    return [cell["text"] for cell in row["cells"]]


def test_the_cells_of_a_technique():
    chosen = {"parameter": "strength", "value": 0.01, "edge": None}
    made = table(results(row("l2", GAIN, chosen=chosen, zero_fraction=0.25)), ACCURACY)
    baseline, l2 = made["rows"]
    assert texts(l2) == ["0.01", "99.5", "80.0", "0.500", "19.5", "+3.5", "<0.001", "0.012", "2.0", "25", "20"]
    assert texts(baseline) == ["", "99.5", "80.0", "0.500", "19.5", "", "", "", "", NONE, "20"]
    assert (l2["verdict"], baseline["verdict"]) == ("helped", "")
    assert l2["cells"][5]["small"] == "+1.0 to +6.0"
    assert l2["cells"][1]["small"] == "98.5 to 100.0"  # no accuracy is above 100%
    assert {len(one["cells"]) + 1 for one in made["rows"]} == {len(made["columns"])}


@pytest.mark.parametrize(("seeds", "columns"), [(6, 1), (5, 0)])
def test_groups_have_a_column_where_there_are_seeds_enough_to_tell_rows_apart(seeds, columns):
    groups = {"l2": "a", "baseline": "b"}
    plain = table(results(row("l2", GAIN)), ACCURACY)
    made = table(results(row("l2", GAIN), groups=groups, seeds=seeds), ACCURACY)
    assert len(made["columns"]) == len(plain["columns"]) + columns
    assert [one["cells"][3]["text"] for one in made["rows"]] == (["b", "a"] if columns else ["0.500", "0.500"])


def test_the_losses_have_a_table_with_their_tests():
    """The sign is that of the loss: an improvement of 0.035 lowers it."""
    made = results(row("l2", GAIN) | {"loss_improvement": GAIN})
    (line,) = loss_table(made, ACCURACY)["rows"]
    assert [cell["text"] for cell in line["cells"]] == ["−0.035", "<0.001", "0.012", "0.020"]
    assert line["cells"][0]["small"] == "−0.060 to −0.010"
    assert loss_table(results(row("l2", GAIN)), ACCURACY) is None
    assert loss_table(results(row("l2", GAIN) | {"loss_improvement": {**GAIN, "p": None}}), ACCURACY) is None


def test_a_single_run_has_no_columns_of_a_test():
    several, one = (table(results(row("l2", GAIN)) | {"seeds": seeds}, ACCURACY) for seeds in (10, 1))
    shown, shown_of_one = ({cell["label"] for cell in made["rows"][0]["cells"]} for made in (several, one))
    assert shown - shown_of_one == {"p", "adjusted p", "detectable, points"}
    assert all(len(line["cells"]) + 1 == len(one["columns"]) for line in one["rows"])


def test_cells_of_narrow_screens_have_their_unit():
    labels = {cell["label"] for cell in table(results(row("l2", GAIN)), ACCURACY)["rows"][1]["cells"]}
    assert {"gap, points", "change, points", "detectable, points", "test, %", "exact zeros, %"} <= labels
    labels = {cell["label"] for cell in table(results(row("l2", GAIN)), R2)["rows"][1]["cells"]}
    assert {"gap", "change", "detectable", "test R²", "test MSE"} <= labels


def test_a_loss_says_so():
    gain = {**GAIN, "mean": -0.035, "ci95": [-0.06, -0.01]}
    lost = table(results(row("l2", gain)), ACCURACY)["rows"][1]
    assert lost["verdict"] == "hurt"
    assert lost["cells"][5]["text"] == f"{MINUS}3.5"


@pytest.mark.parametrize("edge", ["low", "high"])
def test_a_choice_at_the_end_of_its_grid_is_flagged(edge):
    inside = {"parameter": "strength", "value": 0.01, "edge": None}
    made = table(results(row("l2", GAIN, chosen={**inside, "edge": edge}), row("l1", GAIN, chosen=inside)), ACCURACY)
    assert [one["cells"][0]["flag"] for one in made["rows"]] == [False, True, False]
    assert edge in made["rows"][1]["cells"][0]["small"]
    plain = table(results(row("l1", GAIN, chosen=inside)), ACCURACY)
    assert len(made["caption"]) > len(plain["caption"])


def test_the_baseline_shows_its_examples():
    made = table(results(settings={"train_examples": 1280}), ACCURACY)
    assert made["rows"][0]["cells"][0]["text"] == "1,280"


def test_only_a_penalty_in_words_repeats_its_name():
    made = table(results(row("l1(0.1) + l2(0.2)", GAIN), row("l2", GAIN)), ACCURACY)
    assert [one["text"] for one in made["rows"]] == ["", "l1(0.1) + l2(0.2)", ""]


def test_a_regression_in_units_of_its_target_has_one_column_more():
    made = results(row("l2", GAIN, test_mse=spread(2950.4)))
    plain = table(made, R2)
    made["baseline"]["test_mse"] = spread(99.5)
    with_units = table(made, R2)
    assert len(with_units["columns"]) == len(plain["columns"]) + 1
    assert [one["cells"][4]["text"] for one in with_units["rows"]] == ["99.500", "2,950"]
    assert with_units["rows"][1]["cells"][2]["text"] == "0.800"
    made["baseline"]["test_mse"] = spread(1e33)
    assert table(made, R2)["rows"][0]["cells"][4]["text"] == "1e+33"
