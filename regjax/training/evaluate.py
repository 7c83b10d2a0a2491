"""Loss and metrics in evaluation mode: no noise, no augmentation, hard labels, and the data loss without penalties."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np

from regjax.averaging import Ensemble, ensemble_outputs
from regjax.catalog import DEFAULT_LOSS, LOSSES
from regjax.catalog import SCORE as SCORE
from regjax.core.checks import check_array, check_choice, check_range, is_traced
from regjax.core.dtypes import widened
from regjax.core.labels import check_labels, check_logits, is_indices, without_ignored
from regjax.core.typing import ApplyFn, Array, ArrayLike, Numeric, PyTree
from regjax.losses import Loss, correct, get_loss, labels_correct, predicted_numbers, squared_error
from regjax.models.call import call_model

METRICS = {
    "classification": ("loss", "accuracy"),
    "regression": ("loss", "mse", "r2"),
    "multilabel": ("loss", "accuracy"),
}


def evaluate(
    apply_fn: ApplyFn,
    params: PyTree,
    model_state: PyTree | None,
    x: Array,
    y: Array,
    weight: Array | None = None,
    *,
    task: str = "classification",
    loss: str | Loss | None = None,
    loss_parameter: ArrayLike | None = None,
    batch_size: int = 2048,
    ignore_index: int | None = None,
    standardize: Callable[[Array], Array] | None = None,
) -> dict[str, Array]:
    """Compute loss and metrics over a whole dataset, in batches if it is large.

    Args:
      apply_fn: as in `rj.build_loss`.
      params: parameters, or an `Ensemble` of them.
      model_state: other collections of the model, or None.
      x: inputs `[N, ...]`.
      y: class indices `int[N]` or, for sequences, `int[N, T]`; class distributions `[N, K]`; numbers `[N]` / `[N, D]`;
        or several labels `[N, K]` that are 0 or 1.
      weight: optional weights >= 0: `[N]`, or `[N, T]` for tokens; examples of weight 0 are ignored. With `[G, N]`, one
        row for each of `G` groups of examples, the model runs once and each metric is `[G]`.
      task: `"classification"`, `"regression"` or `"multilabel"`.
      loss: the data loss, as in `rj.build_loss`, with one number for each example (or token); None is the default of
        the task.
      loss_parameter: a third argument of the data loss, such as the quantile; None leaves it at its default.
      batch_size: number of examples that are evaluated at once; limits the memory and does not affect the result.
      ignore_index: class indices with this value are ignored, such as padding in sequences.
      standardize: a function from a batch of `x` to inputs of the model; None is the identity.

    Returns:
      float32 scalars (or `[G]`), means over all examples or tokens that are not ignored: `loss` and `accuracy` (of
      several labels the share of them that are right), or `loss`, the squared error `mse` and `r2 = 1 - sum (y-f)^2 /
      sum (y - mean y)^2`, of several targets the mean of theirs, as scikit-learn's `uniform_average`.

    Raises:
      InputError: the task is unknown.
      ValueError: a concrete label is not a class (a traced one has loss 0 and is never correct); the weights have
        another shape or are negative, or are `[N, N]` for `[N, N]` tokens, which could also mean groups.

    Example:
      >>> x = jnp.arange(3.0)
      >>> result = evaluate(lambda v, x: x * v["params"], 2.0, None, x, 2 * x, task="regression")
      >>> float(result["mse"]), float(result["r2"])
      (0.0, 1.0)
    """
    means, weight = _means(
        apply_fn, params, model_state, x, y, weight, task=task, loss=loss, loss_parameter=loss_parameter,
        batch_size=batch_size, ignore_index=ignore_index, standardize=standardize,
    )  # fmt: skip
    return means if task != "regression" else _with_r2(means, _variances(y, weight))


def _means(
    apply_fn: ApplyFn,
    params: PyTree,
    model_state: PyTree | None,
    x: Array,
    y: Array,
    weight: Array | None,
    *,
    task: str,
    loss: str | Loss | None,
    loss_parameter: ArrayLike | None,
    batch_size: int,
    ignore_index: int | None = None,
    standardize: Callable[[Array], Array] | None = None,
) -> tuple[dict[str, Array], Array]:
    """The means of `evaluate`, and the weights of the examples; of several targets also `squares`, the MSE of each."""
    check_choice("task", task, METRICS)
    standardize, data_loss = standardize or (lambda x: x), get_loss(loss or DEFAULT_LOSS[task])
    link = LOSSES[loss].link if isinstance(loss, str) else "identity"
    arguments = () if loss_parameter is None else (loss_parameter,)
    if task == "classification":
        _check_labels(apply_fn, params, model_state, x, y, ignore_index, standardize)
    elif ignore_index is not None:
        raise ValueError(f"evaluate: ignore_index={ignore_index} is for classes, got task {task!r}")
    y = y if hasattr(y, "dtype") else jnp.asarray(y)
    targets, counts = without_ignored(y, ignore_index)
    tokens = task == "classification" and y.ndim > (1 if is_indices(y) else 2)  # several labels per example
    if counts is None:
        counts = jnp.ones(targets.shape if is_indices(y) else targets.shape[:-1], bool) if tokens else None
    weight, counts = _weights(weight, x.shape[0], counts, tokens)
    arrays = (x, targets, weight.T) if counts is None else (x, targets, weight.T, counts)

    def sums(batch: tuple[Array, ...]) -> dict[str, Array]:
        bx, by, bw, *counted = batch  # weights are [B] or [B, G], with the examples first
        outputs = predict(apply_fn, params, model_state, standardize(bx), task=task, link=link)
        values = {"loss": data_loss(outputs, by, *arguments)}
        if task == "classification":
            values["accuracy"] = correct(outputs, by)
        elif task == "multilabel":
            values["accuracy"] = labels_correct(outputs, by)
        elif data_loss is not squared_error:
            values["mse"] = squared_error(predicted_numbers(loss, outputs), by)
        squares = {}
        if task == "regression" and math.prod(by.shape[1:]) > 1:
            away = widened(predicted_numbers(loss, outputs)) - widened(by)
            squares = {"squares": jnp.square(away).reshape(away.shape[0], -1).T @ bw}
        if counted:  # weights of the tokens of each example
            values["count"] = jnp.ones(counted[0].shape, jnp.float32)
            values = {name: (v * counted[0]).reshape(v.shape[0], -1).sum(axis=1) for name, v in values.items()}
        return {name: value @ bw for name, value in values.items()} | squares

    if x.shape[0] <= batch_size:
        totals = sums(arrays)
    else:
        batches = _in_batches(arrays, batch_size)
        totals = jax.tree.map(lambda parts: jnp.sum(parts, axis=0), jax.lax.map(sums, batches))
    count = jnp.sum(weight, axis=-1) if counts is None else totals.pop("count")
    result = {name: value / jnp.where(count > 0, count, 1.0) for name, value in totals.items()}
    if task == "regression":
        result.setdefault("mse", result["loss"])
    return result, weight


def _with_r2(means: dict[str, Numeric], variances: Numeric) -> dict[str, Numeric]:
    """Add R2, and take the MSE of each of several targets away; the variances are `[D]` or `[G, D]`."""
    if "squares" not in means:
        return means | {"r2": 1.0 - means["mse"] / variances[..., 0]}
    others = {name: value for name, value in means.items() if name != "squares"}
    return others | {"r2": 1.0 - (means["squares"].T / variances).mean(axis=-1)}


def evaluate_parts(
    apply_fn: ApplyFn,
    params: PyTree,
    model_state: PyTree | None,
    parts: Iterable[tuple[ArrayLike, ArrayLike]],
    *,
    task: str = "classification",
    loss: str | Loss | None = None,
    loss_parameter: ArrayLike | None = None,
) -> dict[str, float]:
    """Compute the metrics of `evaluate` over parts of a dataset, with one part in memory at a time.

    Args:
      apply_fn: as in `rj.build_loss`.
      params: parameters, or an `Ensemble` of them.
      model_state: other collections of the model, or None.
      parts: pairs of inputs and targets; at least one.
      task: `"classification"`, `"regression"` or `"multilabel"`.
      loss: as in `evaluate`.
      loss_parameter: as in `evaluate`.

    Returns:
      The metrics of `evaluate` over all parts together.

    Raises:
      InputError: the task is unknown.
      ValueError: as in `evaluate`.

    Example:
      >>> halves = [(np.arange(2.0), np.arange(2.0)), (np.arange(2.0), np.ones(2))]
      >>> evaluate_parts(lambda v, x: x * v["params"], 1.0, None, halves, task="regression")["mse"]
      0.25
    """
    sizes, metrics, targets = [], [], []
    measure: Callable[..., tuple[dict[str, Array], Array]] = functools.partial(
        _means, apply_fn, task=task, loss=loss, loss_parameter=loss_parameter, batch_size=2**31
    )
    if task != "regression":  # one program instead of forty, but it would round r2 differently
        measure = jax.jit(measure)
    for x, y in parts:
        if task == "classification":
            _check_labels(apply_fn, params, model_state, x, y, None)
        x, y = jax.device_put((x, y))
        # The weights are arguments, because dividing by a constant count would be rounded differently, too.
        metrics.append(jax.device_get(measure(params, model_state, x, y, np.ones(len(x), np.float32))[0]))
        sizes.append(len(x))
        targets.append(y)
    total: dict[str, Numeric] = {
        name: np.average([part[name] for part in metrics], axis=0, weights=sizes) for name in metrics[0]
    }
    if task == "regression":
        y = jnp.concatenate(targets)
        total = _with_r2(total, np.asarray(_variances(y, jnp.ones(len(y))), np.float64))
    return {name: float(value) for name, value in total.items()}


def predict(
    apply_fn: ApplyFn,
    params: PyTree,
    model_state: PyTree | None,
    x: Array,
    *,
    task: str = "classification",
    link: str = "identity",
) -> Array:
    """Compute the outputs of a model in evaluation mode; for an ensemble, its mean prediction.

    Args:
      apply_fn: as in `rj.build_loss`.
      params: parameters, or an `Ensemble` of them.
      model_state: other collections of the model, or None; for an ensemble, those of its members.
      x: inputs `[B, ...]`.
      task: `"classification"`, `"regression"` or `"multilabel"`; matters for an ensemble, see
        `regjax.averaging.ensemble_outputs`, as does `link`.
      link: `"log"` if the outputs of a regression are logarithms.

    Returns:
      Logits `[B, K]`, or numbers `[B, ...]`.

    Example:
      >>> from regjax.averaging import Ensemble
      >>> both = Ensemble(jnp.array([1.0, 3.0]), jnp.int32(2))
      >>> predict(lambda v, x: v["params"] * x, both, None, jnp.ones(2), task="regression")
      Array([2., 2.], dtype=float32)
    """

    def outputs(params: PyTree, model_state: PyTree) -> Array:
        result = call_model(apply_fn, params, model_state, x, train=False).outputs
        check_array("outputs", result)
        return result

    if isinstance(params, Ensemble):
        return ensemble_outputs(
            jax.vmap(outputs)(params.members, model_state or {}), params.taken, task=task, link=link
        )
    return outputs(params, model_state)


def _weights(weight: ArrayLike | None, examples: int, counts: Array | None, tokens: bool) -> tuple[Array, Array | None]:
    """Return the weights of examples, `[N]` or `[G, N]`, and those of labels: None, or the shape of the labels.

    Raises:
      ValueError: the weights are negative or not finite, or their shape is wrong or ambiguous.
    """
    if weight is None:
        return jnp.ones(examples, jnp.float32), counts
    check_range("evaluate: weight", weight, 0.0, high_open=True)
    weight = jnp.asarray(weight, jnp.float32)
    label_shape = counts.shape if tokens and counts is not None else None
    of_examples = weight.ndim in (1, 2) and weight.shape[-1] == examples
    if weight.shape == label_shape and of_examples:
        raise ValueError(
            f"evaluate: weight {weight.shape} may be of tokens or of groups; leave tokens out by ignore_index"
        )
    if weight.shape != label_shape and not of_examples:
        accepted = f"[{examples}], [G, {examples}]" + (f" or {list(label_shape)}" if label_shape else "")
        raise ValueError(f"evaluate: weight must have shape {accepted}, got {weight.shape}")
    return (weight, counts) if counts is None or of_examples else (jnp.ones(examples, jnp.float32), weight * counts)


def _check_labels(
    apply_fn: ApplyFn,
    params: PyTree,
    model_state: PyTree | None,
    x: ArrayLike,
    y: ArrayLike,
    ignore_index: int | None,
    standardize: Callable[[Array], Array] = lambda x: x,
) -> None:
    """Check that labels fit the outputs; traced labels are checked where they are used."""
    if is_traced(y):
        return
    example = jax.ShapeDtypeStruct((1, *np.shape(x)[1:]), jnp.result_type(x))
    shape = jax.eval_shape(lambda x: predict(apply_fn, params, model_state, standardize(x)), example).shape
    check_logits("evaluate", (np.shape(x)[0], *shape[1:]))
    check_labels("evaluate: y", y, shape[-1], ignore_index=ignore_index, shape=(np.shape(x)[0], *shape[1:-1]))


def _in_batches(arrays: tuple[Array, ...], batch_size: int) -> tuple[Array, ...]:
    """Pad with zeros (so the padding weighs nothing) and reshape to `[batches, batch_size, ...]`."""
    size = arrays[0].shape[0]
    batches = -(-size // batch_size)
    padding = batches * batch_size - size

    def reshape(a: Array) -> Array:
        a = jnp.asarray(a)
        padded = jnp.concatenate([a, jnp.zeros((padding, *a.shape[1:]), a.dtype)]) if padding else a
        return padded.reshape(batches, batch_size, *a.shape[1:])

    return tuple(reshape(a) for a in arrays)


def _variances(y: ArrayLike, weight: ArrayLike) -> Array:
    """The weighted variance of each of the D targets, `[D]` or `[G, D]`; 1 where it is 0."""
    y = widened(jnp.asarray(y))
    y = y.reshape(y.shape[0], -1)
    total = jnp.sum(weight, axis=-1, keepdims=True)
    share = weight / jnp.where(total > 0, total, 1.0)
    centred = y - jnp.mean(y, axis=0)  # any shift gives the same variance; this one keeps float32 accurate
    spread = share @ jnp.square(centred) - jnp.square(share @ centred)
    return jnp.where(spread > 0, spread, 1.0)
