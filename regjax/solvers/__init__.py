"""Solvers for convex penalized problems: exact solutions, for linear models and as references.

| file | solves |
|---|---|
| `accelerated` | any smooth loss and any penalty with a proximal map; one strength, or a path of strengths |
| `lasso` | lasso and elastic net paths of linear regression, with all strengths in one compiled call |
"""

from regjax.solvers.accelerated import Solution, proximal_gradient, regularization_path
from regjax.solvers.lasso import LassoPath, lasso_path

__all__ = ["LassoPath", "Solution", "lasso_path", "proximal_gradient", "regularization_path"]
