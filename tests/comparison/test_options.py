import pytest

from regjax.comparison.options import CompareOptions, with_changes
from regjax.core.errors import InputError


def test_seeds_begin_at_the_first():
    assert list(CompareOptions(seeds=3, seed=20).all_seeds()) == [20, 21, 22]


def test_options_by_name_change_those_given():
    given = CompareOptions(seeds=2, epochs=7)
    assert with_changes(given, {"seeds": 3}) == CompareOptions(seeds=3, epochs=7)
    assert with_changes(None, {}) == CompareOptions()
    assert with_changes(given, {}) == given


def test_a_keyword_that_is_no_option_is_named_with_the_nearest():
    with pytest.raises(TypeError, match=r"'epoch' is not an option \(did you mean 'epochs'\?\); accepted: .*seeds"):
        with_changes(None, {"epoch": 3})
    with pytest.raises(TypeError, match=r"'zzz' is not an option; accepted"):
        with_changes(None, {"zzz": 3})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds must be a whole number >= 1, got 0"),
        ({"seeds": 2.5}, "seeds must be a whole number >= 1, got 2.5"),
        ({"practical": -1.0}, "practical must be a number >= 0, got -1.0"),
        ({"practical_loss": float("inf")}, "practical_loss must be a number >= 0"),
        ({"select": "2se"}, "did you mean '1se'"),
        ({"label_noise": 1.0}, r"label_noise must be a number in \[0, 1\), got 1.0"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number > 0"),
    ],
)
def test_values_that_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        CompareOptions(**options)
    with pytest.raises(InputError, match=message):
        with_changes(CompareOptions(), options)
