import pytest

from regjax.cli.grid_text import as_options, parse_sweep
from regjax.cli.sweep import Config


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
    ],
)
def test_sweeps_that_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_sweep(text)


def test_a_point_becomes_options():
    config = Config(penalty="l1(0.1) + l2(1)")
    point = {"penalty": 0.5, "patience": 3.0, "l2": 0.1, "augment": 2.0}
    assert as_options(config, point) == {"penalty": "0.5 * (l1(0.1) + l2(1))", "patience": 3, "l2": 0.1}
