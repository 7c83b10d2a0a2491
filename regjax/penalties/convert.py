"""Conversion between the penalty constants of other libraries and those of this one, so that no factor is guessed.

Here a loss is a mean over examples, `l1(s) = s sum |w|` and `l2(s) = s sum w^2`. Other libraries minimize (`r` is the
`l1_ratio`, `n` the number of examples):

| library | objective | here |
|---|---|---|
| torch `weight_decay=wd` | adds `wd w` to the gradient | `l2(wd / 2)`, coupled |
| torch `AdamW`, `optax.adamw` | subtracts `lr wd w` | `l2(wd / 2)`, decoupled |
| Keras `L1L2(a, b)` | mean loss `+ a sum |w| + b sum w^2` | `l1(a) + l2(b)` |
| `Ridge(a)` | `||y - Xw||^2 + a ||w||^2` | `l2(a / n)` |
| `Lasso(a)` | `||y - Xw||^2 / 2n + a |w|` | `l1(2 a)` |
| `ElasticNet(a, r)` | `||y - Xw||^2 / 2n + a r |w| + a (1 - r) ||w||^2 / 2` | `l1(2 a r) + l2(a (1 - r))` |
| `MultiTaskLasso(a)` | `||Y - XW||^2 / 2n + a sum_rows ||w||` | `group_lasso(2 a / outputs, axis=0)` |
| `LogisticRegression(C, r)` | `C n mean loss + r |w| + (1 - r) ||w||^2 / 2` | `l1(r / Cn) + l2((1 - r) / 2Cn)` |
| `MLPClassifier(a)` | mean loss `+ a ||w||^2 / 2n`, `n` the batch | `l2(a / 2n)` |
| `MLPRegressor(a)` | `mse / 2 + a ||w||^2 / 2n`, `n` the batch | `l2(a / n)` |
| glmnet `lambda, alpha` | that of `ElasticNet(lambda, alpha)`, on `y` scaled to variance one | see `from_glmnet` |

Here the mean squared error is also a mean over outputs, so with several outputs the terms are divided by their number.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from regjax.core.checks import check_choice, check_range
from regjax.core.errors import InputError
from regjax.core.tree import Where
from regjax.core.typing import Numeric
from regjax.penalties import Penalty, combine, group_lasso, l1, l2

SKLEARN = ("ridge", "lasso", "elastic_net", "multitask_lasso", "logistic", "mlp_classifier", "mlp_regressor")
FAMILIES = ("gaussian", "binomial", "multinomial")


def from_torch_weight_decay(weight_decay: float, where: Where = None) -> Penalty:
    """The penalty of torch's `weight_decay`: `l2(weight_decay / 2)`.

    Use mode `"coupled"` (or `"loss"`) for `SGD`, `Adam` and `RMSprop`, and `"decoupled"` for `AdamW`. torch decays
    biases too, as `where=".*"` does here.

    Args:
      weight_decay: >= 0.
      where: which leaves; see `regjax.core.tree.leaf_mask`.

    Raises:
      ValueError: a negative number or NaN.

    Example:
      >>> print(from_torch_weight_decay(0.01).describe("w"))
      l2(0.005)
    """
    check_range("from_torch_weight_decay: weight_decay", weight_decay, 0.0, np.inf, high_open=True)
    return l2(weight_decay / 2, where)


def to_torch_weight_decay(penalty: Penalty) -> float:
    """The `weight_decay` of torch for a single `l2` penalty: `2 strength`.

    Raises:
      InputError: another penalty, or a strength that is not a single number.

    Example:
      >>> round(to_torch_weight_decay(l2(0.005)), 6)
      0.01
    """
    return 2 * _constants(penalty, "torch weight_decay", ("l2",))["l2"]


def from_keras(l1_strength: float = 0.0, l2_strength: float = 0.0, where: Where = None) -> Penalty:
    """The penalty of `keras.regularizers.L1L2(l1, l2)` on kernels: the same constants.

    Keras uses a mean loss and `sum w^2` without a factor of one half, as this package does. The `weight_decay` of its
    optimizers differs: it is `l2(weight_decay / 2)`, decoupled.

    Args:
      l1_strength: >= 0.
      l2_strength: >= 0.
      where: which leaves; None means kernels, as `kernel_regularizer`.

    Raises:
      ValueError: a negative number or NaN.

    Example:
      >>> import jax.numpy as jnp
      >>> float(from_keras(0.1, 0.2).value({"kernel": jnp.array([[2.0]])}).round(4))
      1.0
    """
    check_range("from_keras: l1_strength", l1_strength, 0.0, np.inf, high_open=True)
    check_range("from_keras: l2_strength", l2_strength, 0.0, np.inf, high_open=True)
    return combine(l1(l1_strength, where), l2(l2_strength, where))


def to_keras(penalty: Penalty) -> dict[str, float]:
    """Arguments of `keras.regularizers.L1L2` for a sum of `l1`, `l2` and `elastic_net`.

    Raises:
      InputError: another penalty, or a strength that is not a single number.

    Example:
      >>> to_keras(l1(0.5) + l2(0.25))
      {'l1': 0.5, 'l2': 0.25}
    """
    return _constants(penalty, "keras", ("l1", "l2"))


def from_sklearn(
    estimator: str,
    *,
    n: int | None = None,
    alpha: float | None = None,
    C: float | None = None,
    l1_ratio: float | None = None,
    outputs: int = 1,
    where: Where = None,
) -> Penalty:
    """The penalty that an estimator of scikit-learn adds, for a loss that is a mean over examples.

    Args:
      estimator: `"ridge"`, `"lasso"`, `"elastic_net"`, `"multitask_lasso"`, `"logistic"`, `"mlp_classifier"` or
        `"mlp_regressor"`.
      n: number of training examples of the estimator; for `mlp_*` the batch size. Not needed for `lasso`,
        `elastic_net` and `multitask_lasso`, whose objective is a mean.
      alpha: of all but `logistic`.
      C: of `logistic`.
      l1_ratio: of `elastic_net` (default 0.5) and of `logistic` (default 0, which is `penalty="l2"`; 1 is `"l1"`).
      outputs: number of targets D; `mse` here is a mean over them as well.
      where: which leaves; see `regjax.core.tree.leaf_mask`. scikit-learn does not penalize the intercept either.

    Returns:
      A `Penalty` for the mean squared error (`mlp_regressor` and linear estimators) or the mean cross entropy.

    Raises:
      InputError: an unknown estimator, an argument that it does not have, or a missing argument.
      ValueError: a number out of range.

    Example:
      >>> from_sklearn("lasso", alpha=0.05).describe("w")
      'l1(0.1)'
      >>> from_sklearn("ridge", alpha=1.0, n=50).describe("w")
      'l2(0.02)'
    """
    check_choice("from_sklearn: estimator", estimator, SKLEARN)
    needs_n = estimator in ("ridge", "logistic", "mlp_classifier", "mlp_regressor")
    strength = "C" if estimator == "logistic" else "alpha"
    arguments = {"n": n, "alpha": alpha, "C": C, "l1_ratio": l1_ratio}
    accepted = [strength, *(["n"] if needs_n else [])]
    for name in accepted:
        if arguments[name] is None:
            raise InputError(f"from_sklearn: {estimator} needs {name}=")
    accepted += ["l1_ratio"] if estimator in ("elastic_net", "logistic") else []
    for name, value in arguments.items():
        if value is not None and name not in accepted and name != "n":
            raise InputError(f"from_sklearn: {estimator} has no {name}; accepted: {', '.join(accepted)}")
    check_range("from_sklearn: outputs", outputs, 1)
    if n is not None:
        check_range("from_sklearn: n", n, 1)
    if l1_ratio is not None:
        check_range("from_sklearn: l1_ratio", l1_ratio, 0.0, 1.0)
    # Divided by the number of outputs, because the mean squared error is.
    if estimator == "logistic":
        check_range("from_sklearn: C", C, 0.0, low_open=True)
        ratio = 0.0 if l1_ratio is None else l1_ratio
        return _elastic(ratio / (C * n), (1 - ratio) / (2 * C * n), where)  # type: ignore[operator]
    check_range("from_sklearn: alpha", alpha, 0.0, np.inf, high_open=True)
    assert alpha is not None
    if estimator == "ridge":
        return l2(alpha / (n * outputs), where)  # type: ignore[operator]
    if estimator == "mlp_classifier":
        return l2(alpha / (2 * n), where)  # type: ignore[operator]
    if estimator == "mlp_regressor":  # its loss is half of a mean over examples and outputs
        return l2(alpha / n, where)  # type: ignore[operator]
    if estimator == "multitask_lasso":
        return group_lasso(2 * alpha / outputs, axis=0, where=where)
    ratio = 1.0 if estimator == "lasso" else 0.5 if l1_ratio is None else l1_ratio
    return _elastic(2 * alpha * ratio / outputs, alpha * (1 - ratio) / outputs, where)


def to_sklearn(penalty: Penalty, *, n: int | None = None, loss: str = "mse") -> tuple[str, dict[str, float]]:
    """The estimator of scikit-learn and its arguments, for one output: the inverse of `from_sklearn`.

    Args:
      penalty: a sum of `l1`, `l2` and `elastic_net`.
      n: number of examples; needed for `Ridge` and `LogisticRegression`, whose loss is a sum.
      loss: `"mse"` or `"cross_entropy"`.

    Raises:
      InputError: another penalty, a strength that is not one number, `n` missing, or a penalty of strength 0.

    Example:
      >>> to_sklearn(l1(0.5))
      ('Lasso', {'alpha': 0.25})
      >>> to_sklearn(l2(0.25), n=8)
      ('Ridge', {'alpha': 2.0})
    """
    check_choice("to_sklearn: loss", loss, ("mse", "cross_entropy"))
    constants = _constants(penalty, "scikit-learn", ("l1", "l2"))
    l1_strength, l2_strength = constants["l1"], constants["l2"]
    if n is None and (loss == "cross_entropy" or not l1_strength):
        raise InputError("to_sklearn: this loss is a sum there, so it needs n=, the number of examples")
    if not l1_strength and not l2_strength:
        raise InputError("to_sklearn: a penalty of strength 0 has no equivalent")
    if loss == "cross_entropy":
        assert n is not None
        inverse = n * (l1_strength + 2 * l2_strength)
        return "LogisticRegression", {"C": 1 / inverse, "l1_ratio": l1_strength * n / inverse}
    if not l1_strength:
        assert n is not None
        return "Ridge", {"alpha": l2_strength * n}
    alpha = l1_strength / 2 + l2_strength
    return (
        ("ElasticNet", {"alpha": alpha, "l1_ratio": l1_strength / 2 / alpha})
        if l2_strength
        else ("Lasso", {"alpha": alpha})
    )


def from_glmnet(
    lambda_: float,
    alpha: float = 1.0,
    *,
    family: str = "gaussian",
    y_std: float | None = None,
    where: Where = None,
) -> Penalty:
    """The penalty of glmnet's `lambda` and `alpha`, on standardized inputs.

    glmnet standardizes `x` by default, so that it penalizes the standardized coefficients. For the gaussian family it
    also scales `y` to variance one during the fit and divides `lambda` by the same standard deviation. In the units of
    `y` the lasso term is then `lambda alpha |b|`, but the ridge term `lambda (1 - alpha) b^2 / (2 std(y))`. So use
    inputs that are standardized with `1/n` variances, `y` unchanged, and give `y_std` if there is a ridge term.

    Args:
      lambda_: glmnet's `lambda`, >= 0.
      alpha: 1 is the lasso, 0 is ridge; in [0, 1].
      y_std: standard deviation of `y` (of variance with `1/n`, and with weights their weighted one), > 0: needed for
        the gaussian family with `alpha < 1`; else it has no effect.
      family: `"gaussian"` (for `mse`, which is twice glmnet's `RSS / 2n`), `"binomial"` or `"multinomial"` (for the
        mean cross entropy).
      where: which leaves; see `regjax.core.tree.leaf_mask`.

    Raises:
      InputError: an unknown family, or no `y_std` where it is needed.
      ValueError: a number out of range.

    Example:
      >>> from_glmnet(0.05).describe("w")
      'l1(0.1)'
      >>> from_glmnet(0.05, alpha=0.0, y_std=2.0).describe("w")
      'l2(0.025)'
    """
    check_choice("from_glmnet: family", family, FAMILIES)
    check_range("from_glmnet: lambda_", lambda_, 0.0, np.inf, high_open=True)
    check_range("from_glmnet: alpha", alpha, 0.0, 1.0)
    factor = 2.0 if family == "gaussian" else 1.0
    scale = _y_scale("from_glmnet", family, y_std, ridge=alpha < 1)
    return _elastic(factor * lambda_ * alpha, factor * lambda_ * (1 - alpha) / (2 * scale), where)


def to_glmnet(penalty: Penalty, *, family: str = "gaussian", y_std: float | None = None) -> dict[str, float]:
    """Glmnet's `lambda` and `alpha` for a sum of `l1`, `l2` and `elastic_net`: the inverse of `from_glmnet`.

    Raises:
      InputError: another penalty, a strength that is not one number, an unknown family, or no `y_std` where it is
        needed.
      ValueError: `y_std` is not positive.

    Example:
      >>> to_glmnet(l1(0.5))
      {'lambda': 0.25, 'alpha': 1.0}
    """
    check_choice("to_glmnet: family", family, FAMILIES)
    constants = _constants(penalty, "glmnet", ("l1", "l2"))
    factor = 2.0 if family == "gaussian" else 1.0
    scale = _y_scale("to_glmnet", family, y_std, ridge=constants["l2"] > 0)
    total = constants["l1"] + 2 * constants["l2"] * scale
    return {"lambda": total / factor, "alpha": constants["l1"] / total if total else 1.0}


def _y_scale(name: str, family: str, y_std: float | None, *, ridge: bool) -> float:
    """By what glmnet divides the constant of the ridge term."""
    if y_std is not None:
        check_range(f"{name}: y_std", y_std, 0.0, np.inf, low_open=True, high_open=True)
    if family != "gaussian" or not ridge:
        return 1.0
    if y_std is None:
        raise InputError(
            f"{name}: glmnet divides the ridge term of the gaussian family by the standard deviation of y; give it "
            "as y_std=, or use alpha=1"
        )
    return y_std


def _elastic(l1_strength: float, l2_strength: float, where: Where) -> Penalty:
    """`l1 + l2`, without terms of strength 0."""
    terms = [make(s, where) for make, s in ((l1, l1_strength), (l2, l2_strength)) if s]
    return functools.reduce(lambda p, q: p + q, terms) if terms else l1(0.0, where)


def _constants(penalty: Penalty, target: str, accepted: tuple[str, ...]) -> dict[str, float]:
    """The factors of `sum |w|` and `sum w^2` in a sum of `l1`, `l2` and `elastic_net`."""
    total = dict.fromkeys(accepted, 0.0)
    wheres = {term.static_where for term in penalty.flat()}
    if len(wheres) > 1:
        listed = ", ".join(repr(where) for where in sorted(wheres, key=str))
        raise InputError(
            f"{target} has one strength for all weights, but the terms act where {listed}; convert each alone"
        )
    for term in penalty.flat():
        strengths: Mapping[str, Numeric] = {}
        if term.schedule is None and not term.has_tree and np.ndim(term.strength) == 0:
            s = float(term.strength)
            if term.kind == "elastic_net":
                ratio = float(term.l1_ratio)  # type: ignore[attr-defined]
                strengths = {"l1": s * ratio, "l2": s * (1 - ratio)}
            else:
                strengths = {term.kind: s}
        strengths = {name: value for name, value in strengths.items() if value or name in accepted}
        if not strengths or set(strengths) - set(accepted):
            raise InputError(f"{term.describe('')} has no equivalent for {target}; accepted: {' + '.join(accepted)}")
        for name, value in strengths.items():
            total[name] += value
    return total
