"""Solvers for penalized problems that are convex: exact answers, for linear models and as references.

| file | what |
|---|---|
| `accelerated` | any smooth loss and any penalty with a proximal map; one strength, or a path of strengths |
| `lasso` | the lasso and elastic net path of a linear regression, all strengths in one compiled call |
"""

from regjax.solvers.accelerated import Solution, proximal_gradient, regularization_path
from regjax.solvers.lasso import LassoPath, lasso_path

__all__ = ["LassoPath", "Solution", "lasso_path", "proximal_gradient", "regularization_path"]
