"""Which module holds which case. Importing this imports nothing heavy."""

from __future__ import annotations

import difflib
import importlib

from cases.base import Case

MODULES = {
    "dense_step": "dense",
    "conv_step": "conv",
    "resnet_step": "vision",
    "vit_step": "vision",
    "sweep_64": "sweeps",
    "sweep_512": "sweeps",
    "tables": "tables",
    "early_stop_reclaim": "reclaim",
    "scaling": "scaling",
    "penalties": "overheads",
    "dropout": "overheads",
    "augment": "augmentation",
    "lasso_path": "paths",
    "loading": "loads",
    "load_csv": "loads",
    "load_images": "loads",
    "checkpoint": "checkpoints",
    "verify": "checkpoints",
    "resume": "checkpoints",
    "cold_start": "starts",
}

BRIEF = ("dense_step", "conv_step", "sweep_64")
"""The cases with a floor of matrix products, which every machine can measure without a peer."""


class UnknownCaseError(Exception):
    """A name that is not a case; the text is one line for stderr."""


def find(name: str) -> Case:
    """The case of a name.

    Raises:
      UnknownCaseError: with the nearest name.
    """
    if name not in MODULES:
        near = difflib.get_close_matches(name, MODULES, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UnknownCaseError(f"--only={name}: is not a case{hint}; accepted: {', '.join(MODULES)}")
    return importlib.import_module(f"cases.{MODULES[name]}").CASES[name]
