"""Checks before training that model, arrays and labels fit together."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax.errors import FlaxError

from regjax.catalog import LOSSES
from regjax.core.checks import check_array, check_range, is_traced
from regjax.core.dtypes import float_dtype
from regjax.core.errors import InputError
from regjax.core.labels import check_labels, check_logits, is_indices
from regjax.core.tree import is_weight_leaf, leaf_names
from regjax.core.typing import Array, ArrayLike, Batch, ModelLike
from regjax.data.splits import Splits
from regjax.data.targets import check_unmasked
from regjax.models.call import call_model
from regjax.models.interface import as_model
from regjax.training.assemble import loss_of
from regjax.training.spec import Hparams, Spec
from regjax.training.state import TrainData

Examples = np.ndarray | Array | jax.ShapeDtypeStruct


def output_shape(model: ModelLike, x: Examples, *, train: bool = False) -> tuple[int, ...]:
    """Return the shape of the outputs for one example, without computing them.

    Args:
      model: a Linen module or a pair `(init, apply)`.
      x: examples `[N, ...]`; only their shape and dtype matter.
      train: whether to call the model as in training, to check that it takes a training flag if it needs one.

    Raises:
      InputError: the model does not accept the inputs, has several outputs, or needs a training flag that it does not
        take; or a parameter is not floating point.

    Example:
      >>> import flax.linen as nn
      >>> output_shape(nn.Dense(3), np.zeros((8, 2), np.float32))
      (1, 3)
    """
    init, apply = as_model(model)

    def forward(x: Array) -> Array:
        key = jax.random.key(0)
        params, model_state = init(key, x)
        for name, leaf in zip(leaf_names(params), jax.tree.leaves(params), strict=True):
            if not is_weight_leaf(leaf):
                kind = getattr(leaf, "dtype", None) or f"a {type(leaf).__name__}"
                raise InputError(
                    f"parameter {name} must be floating point, got {kind}; let init give what is trained alone, as "
                    "equinox.filter(model, equinox.is_inexact_array) or nnx.split(net, nnx.Param, ...), and apply "
                    "put it together"
                )
        found = call_model(apply, params, model_state, x, train=train, key=key if train else None).outputs
        check_array("outputs", found)
        return found

    try:
        return jax.eval_shape(forward, jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype)).shape
    except InputError:
        raise
    except (ValueError, TypeError, FlaxError) as error:
        first = str(error).splitlines()[0]
        if "integer" in first and np.issubdtype(x.dtype, np.floating):
            first += " Arrays of integers given in Python stay integers; tables from files are floating-point features."
        if "floating" in first and np.issubdtype(x.dtype, np.integer):
            first += ". Integers are taken for categories; standardize='feature' makes features of them"
        raise InputError(f"the model cannot take inputs {x.dtype}{[1, *x.shape[1:]]}: {first}") from None


def check_loss(spec: Spec, hparams: Hparams, x: Examples, num_outputs: int) -> None:
    """Check, by tracing, that the loss of a run can be computed; mixup of token ids, for example, is refused.

    Args:
      spec: the specification of the run.
      hparams: the hyperparameters of the run.
      x: examples `[N, ...]`; only their shape and dtype matter.
      num_outputs: number of targets of a regression, or of labels.

    Raises:
      ValueError: the error of the loss.

    Example:
      >>> import flax.linen as nn
      >>> from regjax.training.spec import make_hparams
      >>> spec = Spec(nn.Dense(3), num_classes=3)
      >>> check_loss(spec, make_hparams(n_train=8, rates={"dropout": 0.5}), np.zeros((8, 2), np.float32), 3)
      Traceback (most recent call last):
      ...
      ValueError: the model takes no argument 'rates', but rates for ['dropout'] were given
    """
    size = spec.batch_size
    targets = () if spec.task == "classification" or num_outputs == 1 else (num_outputs,)
    dtype = np.int32 if spec.task == "classification" else np.float32

    def loss(x: Array, y: Array) -> Array:
        key = jax.random.key(0)
        params, model_state = as_model(spec.model).init(key, x[:1])
        return loss_of(spec)(params, Batch(x, y), key, model_state=model_state, hparams=hparams)[0]

    shapes = jax.ShapeDtypeStruct((size, *x.shape[1:]), x.dtype), jax.ShapeDtypeStruct((size, *targets), dtype)
    try:
        jax.eval_shape(loss, *shapes)
    except (ValueError, TypeError, FlaxError) as error:  # such as the derivative with respect to integers
        raise ValueError(str(error).splitlines()[0]) from None


def check_order(order: ArrayLike, examples: int, n_train: ArrayLike) -> None:
    """Check that all positions in an order are valid, because JAX clips invalid indices silently.

    Args:
      order: `int32[N]` or `int32[S, N]`; not checked if traced.
      examples: number of examples.
      n_train: number of positions of the order that are used; not checked if traced.

    Raises:
      ValueError: names the invalid number.

    Example:
      >>> check_order(np.arange(4), 4, 4)
    """
    if not is_traced(n_train):
        check_range("n_train", n_train, 1, np.shape(order)[-1])
    if not is_traced(order) and getattr(order, "is_fully_addressable", True):
        check_range("order: positions of examples", order, 0, examples - 1)


def check_targets(loss: str, splits: Splits) -> None:
    """Check that a data loss is defined for all targets: those of the Poisson deviance are >= 0, and not all 0.

    Args:
      loss: name of the data loss.
      splits: the data.

    Raises:
      InputError: names the first example with such a target, by its position in the data, and what is accepted.
    """
    if LOSSES[loss].link != "log":
        return
    for part in ("train", "stop", "select", "test"):
        y = getattr(splits, f"y_{part}")
        below = np.flatnonzero((y < 0).reshape(len(y), -1).any(axis=1))
        if below.size:
            rows, own = splits.indices.get(part), below
            where = f"row {own[0]} of the {part} set" if rows is None else f"row {min(rows[own])}"
            place = own[0] if rows is None else own[np.argmin(rows[own])]
            raise InputError(
                f"{splits.name}: the loss {loss!r} is for counts, which are >= 0; {where} (the first is row 0) has "
                f"{np.min(y[place]):g}; accepted: another loss, such as 'huber'"
            )
    if not np.any(splits.y_train):
        raise InputError(f"{splits.name}: the loss {loss!r} needs a target above 0, all training targets are 0")


def check_run(
    spec: Spec, data: TrainData, n_train: ArrayLike, pool: np.ndarray | None = None, *, standardized: bool = False
) -> None:
    """Check that a run can use its arrays; traced arrays are not checked.

    Args:
      spec: the specification of the run.
      data: the arrays of the run; `y` may have a leading axis of seeds.
      n_train: number of training examples.
      pool: targets of the training pool, if it is read from disk during training.
      standardized: whether the run standardizes its inputs, so that the model receives float32.

    Raises:
      InputError: the model does not accept the inputs, has several outputs, or needs a training flag that it does not
        take; or inputs are masked.
      ValueError: labels are not classes of the model or are all ignored; targets of a regression are not finite or do
        not match the examples and outputs; integers overflow in JAX; the order or `val_rows` contains invalid
        positions; or there is not one weight >= 0 for each example.

    Example:
      >>> import flax.linen as nn
      >>> x, y = np.zeros((4, 2), np.float32), np.array([0, 1, 2, 3])
      >>> check_run(Spec(nn.Dense(3), num_classes=3), TrainData(x, y, np.arange(4), x, y), 4)
      Traceback (most recent call last):
      ...
      ValueError: y: class indices must be in [0, 2], got 3 at position 3
    """
    if data.weight is not None and np.shape(data.weight) != np.shape(data.x)[:1]:
        found = list(np.shape(data.weight))
        raise ValueError(f"weight must have one number for each of the {len(data.x)} examples, got shape {found}")
    if is_traced(data.y):
        return
    if data.val_rows is not None:
        _check_val_rows(data.val_rows, np.shape(data.x)[0], np.shape(data.order)[:-1])
    if data.weight is not None:
        check_range("weight of examples", data.weight, 0.0, high_open=True)
    for name, x in (("x", data.x), ("x_val", data.x_val)):
        check_unmasked(name, x)
        _check_integers(name, x)
    if pool is None:
        check_order(data.order, np.shape(data.x)[0], n_train)
    inputs = jax.ShapeDtypeStruct(np.shape(data.x), jnp.float32) if standardized else data.x
    shape = output_shape(spec.model, inputs, train=True)
    outputs = shape[1:]
    seeds = np.shape(data.y)[: np.ndim(data.order) - 1]
    parts: list[tuple[str, ArrayLike, tuple[int, ...]]] = [
        ("y", data.y, (*seeds, np.shape(data.x)[0])),
        *([("y_val", data.y_val, np.shape(data.x_val)[:1])] if data.val_rows is None else []),
        *([] if pool is None else [("y", pool, (len(pool),))]),
    ]
    if spec.task != "classification":
        for name, y, lead in parts:
            _check_numbers(name, y, (*lead, *outputs))
            if spec.task == "multilabel" and _concrete(y):
                check_range(f"{name}: labels of task 'multilabel'", y, 0.0, 1.0)
            if spec.link == "log" and _concrete(y):
                check_range(f"{name}: targets of the loss {spec.loss!r}", y, 0.0, high_open=True)
        return
    check_logits("the model", shape)
    if spec.num_classes and spec.num_classes != outputs[-1]:
        raise ValueError(f"num_classes is {spec.num_classes}, but the model gives {outputs[-1]} logits")
    for name, y, lead in parts:
        check_labels(name, y, outputs[-1], ignore_index=spec.ignore_index, shape=(*lead, *outputs[:-1]))
        if _concrete(y) and not np.any(np.asarray(y) != (spec.ignore_index if is_indices(y) else 0)):
            raise ValueError(f"{name}: none of the {np.size(y)} labels counts, so the loss would be 0")
    if data.val_rows is None and is_indices(data.y) != is_indices(data.y_val):
        kinds = ["indices" if is_indices(y) else "distributions" for y in (data.y, data.y_val)]
        raise ValueError(f"y and y_val must be labels of one kind, got class {kinds[0]} and class {kinds[1]}")


def _check_val_rows(rows: ArrayLike, examples: int, seeds: tuple[int, ...]) -> None:
    """Check that rows of the pool validate, at least one for each seed.

    Raises:
      ValueError: names the value and what is accepted.
    """
    lead = np.shape(rows)[:-1]
    if lead not in ((), seeds):
        raise ValueError(f"val_rows must have the shape [V] or {[*seeds, 'V']}, got {list(np.shape(rows))}")
    check_range("val_rows: rows of the pool, or -1 for none", rows, -1, examples - 1)
    if _concrete(rows) and not np.all(np.any(np.asarray(rows) >= 0, axis=-1)):
        raise ValueError("val_rows: a seed has no validation example")


def _check_numbers(name: str, y: ArrayLike, shape: tuple[int, ...]) -> None:
    """Check that there is one finite real number for each example and output.

    Raises:
      ValueError: names the value and what is accepted.
    """
    dtype = y.dtype if isinstance(y, jax.Array) else np.asarray(y).dtype
    if not any(jnp.issubdtype(dtype, kind) for kind in (np.bool_, np.integer, np.floating)):
        raise ValueError(f"{name}: numbers to predict must be real, got dtype {dtype}")
    check_unmasked(name, y)
    if np.shape(y) != shape:
        raise ValueError(f"{name}: numbers to predict must have the shape {list(shape)}, got {list(np.shape(y))}")
    if not _concrete(y):
        return
    values = np.asarray(y)
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(values.astype(float_dtype()))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        where = place[0] if len(place) == 1 else place
        raise ValueError(f"{name}: numbers to predict must be finite {float_dtype()}, got {values[place]} at {where}")


def _check_integers(name: str, x: object) -> None:
    """Check that 64-bit integers, such as token ids, do not overflow in the integers of JAX.

    Raises:
      ValueError: names the value.
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "iu" or x.dtype.itemsize < 8 or not x.size:
        return
    held = np.iinfo(jax.dtypes.canonicalize_dtype(x.dtype))
    for number in (int(x.min()), int(x.max())):
        if not held.min <= number <= held.max:
            raise ValueError(f"{name}: integers must fit {held.dtype}, got {number}")


def _concrete(values: object) -> bool:
    """Whether all numbers are known, and on devices of this process."""
    return not is_traced(values) and getattr(values, "is_fully_addressable", True)
