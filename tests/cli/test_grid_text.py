import pytest

from regjax.cli.grid_text import as_options, parse_space, parse_sweep, shown_space
from regjax.cli.sweep import Config
from regjax.core.ranges import Range


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("l2=logspace(-2,0,3)", "l2", [0.01, 0.1, 1.0]),
        ("dropout=linspace(0, 0.5, 3)", "dropout", [0.0, 0.25, 0.5]),
        ("l2=logspace(-3,5,1)", "l2", [1e-3]),
        (" l1 = 0.5, 2e-3", "l1", [0.5, 0.002]),
        ("patience=linspace(1,4,3)", "patience", [1.0, 2.0, 4.0]),  # 2.5 rounds to even
    ],
)
def test_sweeps_are_read(text, name, values):
    found, numbers = parse_sweep(text)
    assert found == name
    assert numbers == pytest.approx(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("l3=1", "'l3' cannot be swept; accepted: l1, l2"),
        ("l2", "'l2' cannot be swept"),
        ("l2=logspace(1,2)", "write logspace"),
        ("l2=logspace(0,1,0)", "write logspace"),
        ("l2=logspace(0,400,2)", "write logspace"),
        ("l2=__import__('os')", "write logspace"),
        ("l2=-1", "l2 must be >= 0, got -1"),
        ("l2=nan", "l2 must be >= 0, got nan"),
        ("dropout=1", r"dropout must be in \[0, 1\), got 1"),
        ("learning_rate=0", "learning_rate must be > 0, got 0"),
        ("train_examples=0.4", "train_examples must be >= 1, got 0"),
        ("patience=3,3.2", "patience has a value twice"),
        ("l2=loguniform(1e-6,1e-1)", r"is a range: write logspace.*or sweep with --search=random"),
    ],
)
def test_sweeps_that_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_sweep(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l2=loguniform(1e-6, 0.1)", Range(1e-6, 0.1, log=True)),
        ("dropout = uniform(0,0.8)", Range(0.0, 0.8)),
        ("patience=loguniform(2,64)", Range(2.0, 64.0, log=True, whole=True)),
        ("dropout=0,0.5", [0.0, 0.5]),
        ("mixup=optional( uniform(0.1,2) )", Range(0.1, 2.0, off=0.5)),
        ("l2=logspace(-2,0,3)", pytest.approx([0.01, 0.1, 1.0])),
    ],
)
def test_ranges_and_choices_of_a_search_are_read(text, expected):
    name, found = parse_space(text)
    assert name == text.partition("=")[0].strip()
    assert found == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("l3=uniform(0,1)", "'l3' cannot be swept"),
        ("l2=uniform(0)", r"write uniform\(LOW,HIGH\), loguniform"),
        ("l2=uniform(0,1,5)", r"write uniform\(LOW,HIGH\)"),
        ("l2=loguniform(a,b)", r"write uniform\(LOW,HIGH\)"),
        ("l2=loguniform(0,1)", "low end above 0"),
        ("l2=uniform(1,0)", "the smaller one first"),
        ("l2=uniform(-1,1)", "l2 must be >= 0, got -1"),
        ("dropout=uniform(0,1)", r"dropout must be in \[0, 1\), got 1"),
        ("learning_rate=uniform(0,1)", "learning_rate must be > 0, got 0"),
        ("patience=uniform(1.5,4)", "needs whole numbers"),
        ("train_examples=uniform(10,100)", "train_examples is compared, not searched"),
        ("train_examples=10,100", "train_examples is compared, not searched"),
        ("l2=normal(0,1)", "write logspace"),
        ("learning_rate=optional(uniform(0.1,1))", r"learning_rate cannot be left out: write uniform\(0.1,1\)"),
        ("l2=optional(0,0.5)", r"or optional\(...\) around one of them"),
        ("l2=optional(uniform(0,1)", "optional"),
    ],
)
def test_ranges_that_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_space(text)


@pytest.mark.parametrize("text", ["uniform(0,0.8)", "loguniform(1e-06,0.1)", "0,0.5", "optional(uniform(0.1,0.8))"])
def test_a_space_is_shown_as_it_is_read(text):
    assert shown_space(parse_space(f"dropout={text}")[1]) == text


def test_a_point_becomes_options():
    config = Config(penalty="l1(0.1) + l2(1)")
    point = {"penalty": 0.5, "patience": 3.0, "l2": 0.1, "augment": 2.0}
    assert as_options(config, point) == {"penalty": "0.5 * (l1(0.1) + l2(1))", "patience": 3, "l2": 0.1}
