"""Packages that an extra installs; if some are missing, the error names them and the extra."""

from __future__ import annotations

import importlib.util


class MissingPackage(ModuleNotFoundError):
    """A package that an extra installs is missing; the message names the extra."""


def require(*packages: str, extra: str = "run") -> None:
    """Raise an error if packages that an extra installs are missing.

    Args:
      *packages: import names.
      extra: the extra of regjax, as in `pip install 'regjax[run]'`.

    Raises:
      MissingPackage: names all missing packages and the extra.

    Example:
      >>> require("json")
      >>> require("no_such_package")
      Traceback (most recent call last):
      ...
      regjax.core.extras.MissingPackage: no_such_package is needed here and not installed: pip install 'regjax[run]'
    """
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        message = f"{', '.join(missing)} {verb} needed here and not installed: pip install 'regjax[{extra}]'"
        raise MissingPackage(message, name=missing[0])
