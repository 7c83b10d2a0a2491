import regjax as rj
from regjax.core.errors import InputError


def test_the_error_for_input_is_a_value_error_and_exported():
    assert issubclass(InputError, ValueError)
    assert rj.InputError is InputError
