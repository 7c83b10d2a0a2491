"""Regularized nets as estimators of scikit-learn, and a search that trains all candidates in one sweep."""

from regjax.sklearn.classifier import RegularizedClassifier
from regjax.sklearn.regressor import RegularizedRegressor
from regjax.sklearn.search import RegularizerSearchCV

__all__ = ["RegularizedClassifier", "RegularizedRegressor", "RegularizerSearchCV"]
