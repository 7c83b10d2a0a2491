"""The types that the library is tried in, and NumPy references in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

# name: (jax_enable_x64, dtype of the parameters)
SETTINGS = {
    "float64": (True, jnp.float64),
    "float32 under x64": (True, jnp.float32),
    "bfloat16": (False, jnp.bfloat16),
    "float16": (False, jnp.float16),
}
each_setting = pytest.mark.parametrize("setting", SETTINGS)


class PrecisionSetting:
    """Parameters of one type, what a value must have, and how near it must be."""

    def __init__(self, name):
        self.x64, self.dtype = SETTINGS[name]
        self.wide = jnp.promote_types(self.dtype, jnp.float32)
        self.rtol = 1e-12 if self.wide == jnp.float64 else 2e-6  # of a sum
        self.eps = float(jnp.finfo(self.dtype).eps)

    def __enter__(self):
        self._context = jax.enable_x64(self.x64)
        self._context.__enter__()
        return self

    def __exit__(self, *error):
        self._context.__exit__(*error)

    def array(self, values):
        return jnp.asarray(np.asarray(values), self.dtype)

    def near(self, found, expected, factor=1.0):
        """A result in the dtype of the parameters."""
        tolerance = factor * max(2 * self.eps, 1e-12 if self.dtype == jnp.float64 else 2e-6)
        np.testing.assert_allclose(np.asarray(found, np.float64), expected, rtol=tolerance, atol=tolerance)


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


def group_soft(w, t):
    return w * np.maximum(1 - t / np.sqrt((w**2).sum(0)), 0)


def firm(w, t, s, g=3.0):
    a = np.abs(w)
    return np.where(a <= t * s, 0, np.where(a <= g * s, np.sign(w) * (a - t * s) / (1 - t / g), w))


def scad(w, t, s, g=3.7):
    a = np.abs(w)
    middle = ((g - 1) * w - np.sign(w) * t * g * s) / (g - 1 - t)
    return np.where(a <= s * (1 + t), soft(w, t * s), np.where(a <= g * s, middle, w))


def log_sum(w, t, s, e=0.5):
    a = np.abs(w)
    d = (a + e) ** 2 - 4 * t * s
    root = np.maximum((a - e + np.sqrt(np.maximum(d, 0))) / 2, 0) * (d >= 0)
    better = (root - a) ** 2 / 2 + t * s * np.log1p(root / e) < a**2 / 2
    return np.sign(w) * root * better


def singular(w, change):
    u, values, v = np.linalg.svd(w, full_matrices=False)
    return (u * change(values)) @ v


def capped(values, t):
    """`c` with `sum max(sigma - c, 0) = 2 t c`, by the number of values above it."""
    caps = [values[:k].sum() / (k + 2 * t) for k in range(1, len(values) + 1)]
    return np.minimum(values, max(caps))
