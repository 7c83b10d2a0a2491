import copy
import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from regjax.report import write_compare_report

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>\"'&$\\frac{x}$\x0b{{ 7*7 }}"
FIGURES = ("overfitting", "improvement", "pairs", "strength", "weights", "curves", "reliability")


def bare(result):
    """As JSON, without what takes long to draw."""
    content = result.to_json()
    for row in [content["baseline"], *content["techniques"].values()]:
        row |= {"curves": {}, "weights": {}, "grid": [], "calibration": None}
    return content


@pytest.fixture(scope="module")
def written(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    return write_compare_report(digits, folder)


def test_page_is_sound_and_small(written, check):
    page = check(written.read_text())
    assert written.name == "report.html"
    assert written.stat().st_size < 500_000
    # The picture twice (wide and narrow), two forests, all pairs, six grids, three histograms, seven curves twice.
    assert page.tags.count("svg") == 2 + 2 + 1 + 6 + 3 + 7 + 7
    assert page.tags.count("h1") == 1
    assert not list(written.parent.rglob("*.part"))


def test_page_says_what_was_found(written, check):
    text = check(written.read_text()).text
    assert "it begins at epoch 26 (median; range 11 to 38)" in text
    assert "test accuracy is shown to be higher with 6 of 7 techniques (largest estimate: more data" in text
    assert "it is not shown to differ with L1 proximal" in text
    assert "9 of 10 runs" in text
    assert "10% of the training labels, and only those, are wrong on purpose" in text
    assert "81% exactly zero" in text
    assert "Chosen at the end of the grid: more data and dropout" in text
    assert "gained on validation, more data aside (most often augmentation, L2 in the loss and dropout)" in text
    assert "never left out: dropout (1)" in text
    assert "Zhang et al." in text
    assert "python -m experiments.compare --dataset=digits --workdir=runs/demo" in text
    assert "jax 0.7.0" in text
    assert "Commit" not in text  # null is left out


def test_table_has_every_row_and_number(written, digits, check):
    page = check(written.read_text())
    # The table, that of the losses, that of the posterior, and that of further metrics, which has a reference.
    assert page.tags.count("tr") == (1 + 8) + (1 + 7) + (1 + 7) + (1 + 8 + 1)
    assert [value for name, value in page.attributes if name == "scope"] == [
        *(["col"] * 13 + ["row"] * 8),
        *(["col"] * 5 + ["row"] * 7),
        *(["col"] * 7 + ["row"] * 7),
        *(["col"] * 3 + ["row"] * 9),
    ]
    for row in [digits["baseline"], *digits["techniques"].values()]:
        assert row["title"] in page.text
        assert f"{100 * row['test']['mean']:.1f}" in page.text


def test_figures_are_files_of_their_own(written):
    folder = written.parent / "figures"
    assert sorted(p.name for p in folder.iterdir()) == sorted(f"{n}.{e}" for n in FIGURES for e in ("png", "svg"))
    for name in FIGURES:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        text = (folder / f"{name}.svg").read_text()
        root = ET.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(--" not in text
        assert "#a1b2" not in text


def test_same_input_gives_the_same_bytes(written, digits, tmp_path):
    again = write_compare_report(digits, tmp_path)
    assert again.read_bytes() == written.read_bytes()
    for path in (written.parent / "figures").iterdir():
        assert (tmp_path / "figures" / path.name).read_bytes() == path.read_bytes()


def test_regression_is_told_in_its_own_words(diabetes, tmp_path, check):
    text = check(write_compare_report(diabetes, tmp_path).read_text()).text
    assert "test R² is shown to be higher with" in text
    assert "Test MSE: lower with" in text
    assert "target's own unit" in text
    assert "accuracy" not in text.lower()
    assert "wrong on purpose" not in text
    assert "reproduce" not in text  # there is no such part in this file


def test_hostile_strings_stay_text(digits, tmp_path, check):
    results = copy.deepcopy(digits)
    results["dataset"] = HOSTILE
    results["settings"]["model"] = HOSTILE
    results["reproduce"] |= {"command": f"run '{HOSTILE}'", "versions": {HOSTILE: HOSTILE}}
    results["techniques"]["l2"] |= {"title": HOSTILE}
    results["techniques"]["l2"]["chosen"]["parameter"] = HOSTILE
    results["techniques"][HOSTILE] = {
        **results["techniques"]["dropout"],
        "name": HOSTILE,
        "title": "</svg><script>",
    }
    path = write_compare_report(results, tmp_path)
    page = check(path.read_text())
    assert "onerror=alert(1)>" in page.text  # shown, not run
    assert "{{ 7*7 }}" in page.text
    assert "\x0b" not in path.read_text()
    for name in FIGURES:
        ET.fromstring((tmp_path / "figures" / f"{name}.svg").read_text())


def test_single_seed_claims_nothing(make, tmp_path, check):
    text = check(write_compare_report(make(seeds=1).to_json(), tmp_path).read_text()).text
    assert "with a single run nothing can be said about chance" in text
    assert "One run: every number is of a single run" in text
    assert "cannot be tested" in text
    assert "helped" not in text.partition("How to read this")[0]


def test_few_seeds_are_called_too_few(make, tmp_path, check):
    text = check(write_compare_report(bare(make(seeds=4)), tmp_path).read_text()).text
    assert "with 4 the smallest possible p is 0.125, so nothing can pass" in text
    assert "--seeds=6" in text
    assert "with these 4 runs nothing can be said about chance" in text


def test_a_technique_that_hurts_is_called_so(make, tmp_path, check):
    results = bare(make(effects={"dropout": -0.06, "l2": 0.0}))
    text = check(write_compare_report(results, tmp_path).read_text()).text
    assert "lower with dropout" in text
    assert "practically the same with L2 in the loss (a change of less than 1.0 points)" in text
    assert "it is not shown to differ with L1 proximal" in text


def test_a_rare_class_and_a_model_that_no_row_beats_are_told(digits, tmp_path, check):
    """At the head of the page, where “practically the same” is said, and below the table of the references."""
    rare = copy.deepcopy(digits)
    rare["references"] = {"constant guess": {"accuracy": 0.97}, "linear model": {"accuracy": 0.999}}
    text = check(write_compare_report(rare, tmp_path).read_text()).text
    assert "always the same guess has 97% accuracy, and the 1.0 points that count as the same are 33% of" in text
    assert "No row has a better mean test accuracy than an untuned linear model (" in text


def test_nothing_optional(digits, tmp_path, check):
    optional = ("reproduce", "chance", "settings", "versions", "pairs", "groups", "best")
    results = {k: v for k, v in copy.deepcopy(digits).items() if k not in optional}
    results["diagnosis"] = {}
    for row in [results["baseline"], *results["techniques"].values()]:
        row |= {"curves": {}, "weights": {}, "grid": [], "diverged": 0, "loss_improvement": None, "calibration": None}
    page = check(write_compare_report(results, tmp_path).read_text())
    assert page.tags.count("svg") == 1
    assert [p.name for p in (tmp_path / "figures").glob("*.png")] == ["improvement.png"]


def test_nulls_anywhere_in_the_numbers(digits, tmp_path, check):
    """A file is JSON: what was NaN is null, and every measured number might have been."""

    def empty(value):
        if isinstance(value, dict):
            return {key: item if key in ("name", "title", "chosen") else empty(item) for key, item in value.items()}
        if isinstance(value, list):
            return [empty(item) for item in value]
        return None if isinstance(value, float) else value

    results = copy.deepcopy(digits)
    for key in ("baseline", "techniques"):
        results[key] = empty(results[key])
    for row in [results["baseline"], *results["techniques"].values()]:
        row["weights"] = {}
        for point in row["grid"]:
            point["value"] = 1.0
    page = check(write_compare_report(json.loads(json.dumps(results)), tmp_path).read_text())
    assert "nan" not in page.text.lower().split()


def test_importing_the_package_is_cheap():
    # The parent package is stood in for: what counts is what this one asks for.
    code = (
        "import sys, types, pathlib; parent = types.ModuleType('regjax');"
        "parent.__path__ = [str(pathlib.Path('regjax').resolve())]; sys.modules['regjax'] = parent;"
        "import regjax.report;"
        "print([m for m in ('jax', 'matplotlib', 'jinja2', 'scipy', 'regjax.comparison') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
