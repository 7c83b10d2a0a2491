"""Packages that an extra installs; if one is missing, the error names the extra."""

from __future__ import annotations

import importlib.util


def require(*packages: str, extra: str = "run") -> None:
    """Raise an error if packages that an extra installs are missing.

    Args:
      *packages: import names.
      extra: the extra of regjax, as in `pip install 'regjax[run]'`.

    Raises:
      ModuleNotFoundError: names the package and the extra.

    Example:
      >>> require("json")
      >>> require("no_such_package")
      Traceback (most recent call last):
      ...
      ModuleNotFoundError: no_such_package is needed here and not installed: pip install 'regjax[run]'
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(
                f"{package} is needed here and not installed: pip install 'regjax[{extra}]'", name=package
            )
