"""Small digits in the place of MNIST, for the machinery of the repetitions."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from experiments.reproduce.mnist import Images


@pytest.fixture(scope="session")
def small_images():
    """The 1,797 digits of scikit-learn, the last 597 as the test set."""
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int32)
    return Images(x[:1200], y[:1200], x[1200:], y[1200:])
