import numpy as np

from regjax.claims.l1 import _lower, _selected
from regjax.claims.linear import Design


def test_shares_of_what_is_kept_and_eliminated():
    """With hardly any noise, the lasso of two strong columns among four keeps both; one standard error keeps no "
    "more."""
    design = Design((5.0, -5.0, 0.0, 0.0), n=100, noise=0.01)
    kept, eliminated = _selected(design, True, [0, 1, 2])
    assert kept.tolist() == [1.0, 1.0, 1.0]
    assert np.all((eliminated >= 0) & (eliminated <= 1))


def test_differences_are_in_parts_of_the_larger_error():
    assert _lower(np.float64(4.0), np.float64(1.0)) == 0.75
    assert _lower(np.float64(1.0), np.float64(4.0)) == -0.75
