"""A lasso path: exact solutions for fifty strengths in one program, as a picture.

  python -m experiments.examples.lasso_path [PICTURE.png]

prints

  the first three features to enter: bmi, s5, bp
  all fifty solutions converged: True
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

import regjax as rj


def main(picture):
    """Coefficients of ten standardized features of the diabetes data."""
    data = load_diabetes()
    x = StandardScaler().fit_transform(data.data)
    found = rj.lasso_path(x, (data.target - data.target.mean()) / data.target.std(), count=50)
    order = np.argsort([np.flatnonzero(found.coefficients[:, j])[0] for j in range(10)], kind="stable")
    print(f"the first three features to enter: {', '.join(data.feature_names[j] for j in order[:3])}")
    print(f"all fifty solutions converged: {bool(found.converged.all())}")

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for j, name in enumerate(data.feature_names):
        axes.semilogx(found.strengths, found.coefficients[:, j], label=name)
    axes.set(xlabel="strength of the penalty", ylabel="coefficient")
    axes.invert_xaxis()
    axes.legend(frameon=False, fontsize=8, ncols=2)
    if picture:
        figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
