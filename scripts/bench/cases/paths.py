"""The lasso path: 1,000 examples, 2,000 features (100 of them informative), 50 strengths down to a thousandth.

Each solver with its own default tolerance, and ours also with a tighter one; the quality is the worst excess of the
objective over the minimum along the path, so that speed bought with inaccuracy is seen.
"""

from __future__ import annotations

import warnings
from typing import Any

from cases.base import Case, Contender, Context, Measured, Round, seconds


def prepare(context: Context) -> dict[str, Any]:
    """Data in double precision, scikit-learn's strengths, and the minima."""
    import numpy as np
    from sklearn.datasets import make_regression
    from sklearn.linear_model import lasso_path

    n, p = context.size(1000, 60), context.size(2000, 150)
    x, y = make_regression(n, p, n_informative=context.size(100, 10), noise=10.0, random_state=0)
    y = (y - y.mean()) / y.std()
    x = x - x.mean(0)
    alphas = np.abs(x.T @ y).max() / n * np.geomspace(1, 1e-3, context.size(50, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, reference, _ = lasso_path(x, y, alphas=alphas, tol=1e-9, max_iter=20_000)
    return {"x": x, "y": y, "alphas": alphas, "minimum": objective(x, y, alphas, reference)}


def objective(x: Any, y: Any, alphas: Any, coefficients: Any) -> Any:
    """scikit-learn's objective at each strength, `coefficients [P, K]`."""
    import numpy as np

    return np.square(y[:, None] - x @ coefficients).sum(0) / (2 * len(y)) + alphas * np.abs(coefficients).sum(0)


def excess(context: Context, coefficients: Any) -> float:
    """The largest relative excess of the objective over the minimum."""
    import numpy as np

    shared = context.shared
    value = objective(shared["x"], shared["y"], shared["alphas"], np.asarray(coefficients, np.float64))
    return float(np.max(value / shared["minimum"] - 1))


def ours(context: Context) -> Round:
    """`regjax.lasso_path` in float32."""
    import jax
    import jax.numpy as jnp

    import regjax as rj

    shared = context.shared
    x, y = (jnp.asarray(shared[name], jnp.float32) for name in ("x", "y"))

    def solve() -> Any:
        return jax.block_until_ready(rj.lasso_path(x, y, 2 * shared["alphas"]))

    return lambda: Measured({"lasso_path": seconds(solve)}, excess(context, solve().coefficients.T))


def sklearn(context: Context) -> Round:
    """`sklearn.linear_model.lasso_path`."""
    from sklearn.linear_model import lasso_path

    shared = context.shared
    warnings.simplefilter("ignore")

    def solve() -> Any:
        return lasso_path(shared["x"], shared["y"], alphas=shared["alphas"])[1]

    return lambda: Measured({"lasso_path": seconds(solve)}, excess(context, solve()))


def celer(context: Context) -> Round:
    """`celer.celer_path`."""
    import numpy as np
    from celer import celer_path

    shared = context.shared
    warnings.simplefilter("ignore")
    x = np.asfortranarray(shared["x"])

    def solve() -> Any:
        return celer_path(x, shared["y"], "lasso", alphas=shared["alphas"])[1]

    return lambda: Measured({"celer_path": seconds(solve)}, excess(context, solve()))


CASES = {
    "lasso_path": Case(
        name="lasso_path",
        summary="the lasso path of 1,000 x 2,000, 50 strengths down to a thousandth of the largest",
        unit="s",
        quality="excess of the objective",
        prepare=prepare,
        rounds=5,
        contenders={
            "ours": Contender(ours),
            "sklearn": Contender(sklearn),
            "celer": Contender(celer, ("celer",)),
        },
    )
}
