"""Converts the prediction of a model to an ONNX file, with `jax2onnx`, and checks it with `onnxruntime`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Literal

from regjax.cli import flags
from regjax.core.extras import require

TOLERANCE = 1e-4
"""Largest difference between ONNX Runtime and JAX, relative to the largest output."""

INPUT, OUTPUT = "inputs", "outputs"


def onnx_of(predict: Callable[[Any], Any], examples: np.ndarray) -> tuple[bytes, float]:
    """Convert a function `[n, *shape] -> [n, ...]` to the content of an ONNX file that takes any number of examples.

    Args:
      predict: the function.
      examples: inputs `[N, *shape]` on which ONNX Runtime and JAX are compared.

    Returns:
      The content, and the largest difference between both, relative to the largest output.

    Raises:
      MissingPackage: the extra is not installed.
      FlagError: the function has an operation that cannot be converted, or ONNX Runtime computes something else.
    """
    require("jax2onnx", "onnxruntime", extra="onnx")
    for package in ("jax2onnx", "onnx_ir"):  # they warn of plugins for other packages, and of each dimension of a shape
        logging.getLogger(package).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        example = SimpleNamespace(shape=("n", *examples.shape[1:]), dtype=examples.dtype)
        try:
            from jax2onnx import to_onnx
            from onnxruntime import InferenceSession

            to_onnx(
                without_platforms(predict),
                [example],
                return_mode="file",
                output_path=path,
                input_names=[INPUT],
                output_names=[OUTPUT],
            )
            session = InferenceSession(path)
        except Exception as error:  # what a converter cannot do has no class of its own
            reason = " ".join(str(error).split())[:200]
            raise flags.FlagError(f"--onnx: this model cannot be converted: {reason}") from None
        found = max(_difference(session, predict, some) for some in (examples[:1], examples))
        flags.check(found <= TOLERANCE, "onnx", f"ONNX Runtime differs from JAX by {found:.2g} for this model")
        return path.read_bytes(), found


def _difference(session: Any, predict: Callable[[Any], Any], x: np.ndarray) -> float:
    expected = np.asarray(predict(jax.numpy.asarray(x)))
    (found,) = session.run([OUTPUT], {INPUT: x})
    known = np.isfinite(expected)
    if found.shape != expected.shape or not known.any():
        return float("inf")
    if not np.array_equal(found[~known], expected[~known], equal_nan=True):
        return float("inf")
    away, largest = np.abs(found[known] - expected[known]).max(), np.abs(expected[known]).max()
    return float(away / max(largest, 1e-30))


def without_platforms(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the function with the default branch of every `lax.platform_dependent`, which ONNX does not have.

    Example:
      >>> branches = {"cpu": lambda x: x + 1, "default": lambda x: 1 + x}
      >>> float(without_platforms(lambda x: jax.lax.platform_dependent(x, **branches))(1.0))
      2.0
    """

    def chosen(x: Any) -> Any:
        closed, form = jax.make_jaxpr(function, return_shape=True)(x)
        outputs = _evaluate(closed.jaxpr, closed.consts, [x])
        return jax.tree.unflatten(jax.tree.structure(form), outputs)

    return chosen


def _evaluate(jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """Evaluate equations in turn, as JAX does, and those of the chosen branches in place of the branches."""
    values: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *arguments), strict=True))

    def value_of(variable: Any) -> Any:
        return variable.val if isinstance(variable, Literal) else values[variable]

    for equation in jaxpr.eqns:
        name, given = equation.primitive.name, [value_of(variable) for variable in equation.invars]
        inner = None
        if name == "cond" and isinstance(given[0], _Default):
            inner = equation.params["branches"][given.pop(0).branch]
        elif name in ("jit", "pjit"):
            inner = equation.params["jaxpr"]
        if inner is not None:
            results = _evaluate(inner.jaxpr, inner.consts, given)
        elif name == "platform_index":
            results = [_Default(equation.params["platforms"].index(None))]
        else:
            bound = equation.primitive.get_bind_params(equation.params)
            functions, params = bound if isinstance(bound, tuple) else ((), bound)  # earlier versions of JAX give both
            results = equation.primitive.bind(*functions, *given, **params)
            results = results if equation.primitive.multiple_results else [results]
        values.update(zip(equation.outvars, results, strict=True))
    return [value_of(variable) for variable in jaxpr.outvars]


class _Default(NamedTuple):
    """The number of the branch for platforms that are not named."""

    branch: int
