"""One calling convention for all models: Linen modules, and pairs of functions `(init, apply)`.

This is the only module that knows the training flags of models; see `FLAGS`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import flax.linen as nn
import jax

from regjax.core.checks import in_short
from regjax.core.errors import InputError
from regjax.core.typing import ApplyFn, Array, ModelLike, PRNGKey, PyTree, Value
from regjax.noise.linen import ACTIVATIONS, PENALTIES, ConcreteDense, Noise

FLAGS = {"train": True, "training": True, "is_training": True, "deterministic": False, "inference": False}
"""Training flags: arguments (or fields of a Linen module), with their value in training."""

_OWN_NOISE = re.compile("drop|noise|stochastic", re.IGNORECASE)


class ModelWarning(UserWarning):
    """A model is used in a way that is probably not intended."""


class Model(NamedTuple):
    """A model as two functions.

    Attributes:
      init: `(key, x) -> (params, model_state)`.
      apply: `(variables, x, **options) -> outputs` with `variables["params"]`, for `regjax.build_loss`.
    """

    init: Callable[[PRNGKey, Array], tuple[PyTree, PyTree]]
    apply: ApplyFn


def as_model(model: ModelLike) -> Model:
    """The two functions of a Flax Linen module or of a pair `(init, apply)`.

    Args:
      model: a Linen module; or `(init, apply)` with `init(key, x) -> params` and `apply(params, x) -> outputs`, where
        `apply` may also take one of `FLAGS`, `rates`, and a key as `rngs` (a dict with the key `"dropout"`), `rng` or
        `key` (None in evaluation). The pair of Haiku's `transform`, with `apply(params, rng, x)`, is accepted too.

    Raises:
      ValueError: any other model.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> pair = (lambda key, x: {"w": jnp.zeros(x.shape[1])}, lambda params, x: x @ params["w"])
      >>> params, state = as_model(pair).init(jax.random.key(0), jnp.ones((1, 3)))
      >>> params["w"].shape, state
      ((3,), {})

      A module of `flax.nnx` keeps the mode in which it was split, so `apply` has to set it:

      >>> from flax import nnx
      >>> def net(key):
      ...     return nnx.Sequential(nnx.Dropout(0.5), nnx.Linear(3, 1, rngs=nnx.Rngs(key)))
      >>> graph, _ = nnx.split(net(0))
      >>> def apply(params, x, train=False, rngs=None):
      ...     module = nnx.merge(graph, params)
      ...     module.train() if train else module.eval()
      ...     return module(x, rngs=nnx.Rngs(**rngs)) if rngs else module(x)
      >>> model = as_model((lambda key, x: nnx.split(net(key))[1], apply))
      >>> variables = {"params": model.init(jax.random.key(0), jnp.ones((1, 3)))[0]}
      >>> noisy = [{"train": True, "rngs": {"dropout": jax.random.key(i)}} for i in (0, 1)]
      >>> [bool(jnp.diff(jnp.stack([model.apply(variables, jnp.ones((1, 3)), **o) for o in options]), axis=0).any())
      ...  for options in (noisy, [{}, {}])]
      [True, False]
    """
    if isinstance(model, nn.Module):
        return Model(_LinenInit(model), model.apply)
    if isinstance(model, tuple) and len(model) == 2 and all(callable(function) for function in model):
        modules = [linen_module(function) for function in model]
        if modules[0] is not None and modules == [modules[0]] * 2 and model[0].__name__ == "init":
            return as_model(modules[0])  # its own two functions
        if _parameter(model[1], 1) == "state":
            raise ValueError(
                "model: a pair has no place for the state of apply(params, state, ...); use batch-free layers"
            )
        return Model(_PairInit(model[0]), _PairApply(model[1]))
    raise ValueError(
        f"model must be a flax.linen Module or a pair (init, apply) of functions, init(key, x) -> params and "
        f"apply(params, x) -> outputs, got {in_short(model)}"
    )


def check_no_statistics(params: PyTree) -> None:
    """Refuse batch statistics among the parameters, where gradients would change them and batches would not.

    Args:
      params: any parameters; statistics are recognized by the types of `flax.nnx` and the collections of Linen.

    Raises:
      InputError: names the first one.

    Example:
      >>> check_no_statistics({"w": 1.0})
    """

    def is_statistic(node: object) -> bool:
        return type(node).__name__ == "BatchStat"  # of nnx; by name, so that nnx is not imported

    for path, leaf in jax.tree_util.tree_leaves_with_path(params, is_leaf=is_statistic):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if is_statistic(leaf) or name.split("/")[0] == "batch_stats":
            raise InputError(
                f"params hold the batch statistics {name}, which would never move; train a Linen module as it is, or "
                "leave them out, as nnx.split(net, nnx.Param, ...) does, where they stay as they are"
            )


def hashable(model: ModelLike) -> ModelLike:
    """Make a model hashable by turning fields that are lists into tuples; compiled programs are cached by it.

    Args:
      model: a Linen module, as `nn.Sequential([...])`, or a pair.

    Raises:
      InputError: a field cannot be made hashable, as an array; the message names it.

    Example:
      >>> hashable(nn.Sequential([nn.Dense(2)])).layers == (nn.Dense(2),)
      True
    """
    if _has_hash(model):
        return model
    if not isinstance(model, nn.Module):
        raise InputError(f"the model must be hashable, got {in_short(model)}")
    values = {f.name: getattr(model, f.name) for f in dataclasses.fields(model) if f.init and f.name != "parent"}
    fields: dict[str, Value] = {name: _frozen(value) for name, value in values.items() if not _has_hash(value)}
    for name, value in fields.items():
        if not _has_hash(value):
            raise InputError(f"{type(model).__name__}: field {name!r} must be hashable, got {in_short(values[name])}")
    return model.clone(**fields)


def _frozen(value: Value) -> Value:
    if isinstance(value, list | tuple):
        return tuple(_frozen(part) for part in value)
    if isinstance(value, dict):
        return nn.FrozenDict(value)
    return hashable(value) if isinstance(value, nn.Module) else value


def _has_hash(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def accepted_arguments(apply_fn: ApplyFn) -> Mapping[str, inspect.Parameter]:
    """The parameters that a model accepts, by name; for a Linen module, those of its `__call__`."""
    module = linen_module(apply_fn)
    if isinstance(module, nn.Sequential):
        return {}  # its ** goes to the first layer alone
    return inspect.signature(apply_fn if module is None else type(module).__call__).parameters


def linen_module(apply_fn: ApplyFn) -> nn.Module | None:
    """The module whose `apply` this is, or None."""
    module = getattr(apply_fn, "__self__", None)
    return module if isinstance(module, nn.Module) else None


def takes(accepted: Mapping[str, inspect.Parameter], name: str) -> bool:
    """Whether an argument is accepted, by name or by `**`.

    Example:
      >>> takes(inspect.signature(lambda x, **options: x).parameters, "rates")
      True
    """
    return name in accepted or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())


def key_options(accepted: Mapping[str, inspect.Parameter], linen: bool, key: PRNGKey | None) -> dict[str, Value]:
    """The argument that passes the key to a model: `rngs` or, for functions, `rng` or `key`.

    Args:
      accepted: the arguments that the model accepts.
      linen: whether it is a Linen module, whose `apply` takes `rngs`.
      key: one key; None if nothing is random, which is passed only to a required argument.

    Example:
      >>> key_options(inspect.signature(lambda variables, x, key=None: x).parameters, False, 7)
      {'key': 7}
    """
    if linen:
        return {} if key is None else {"rngs": {"dropout": key}}
    empty = inspect.Parameter.empty
    for name in ("rngs", "rng", "key"):
        if name not in accepted or accepted[name].default not in (None, empty):
            continue
        if key is None and accepted[name].default is None:
            return {}
        return {name: key} if name != "rngs" else {name: {} if key is None else {"dropout": key}}
    return {"rngs": {"dropout": key}} if key is not None and takes(accepted, "rngs") else {}


class TrainingCall(NamedTuple):
    """How to call a model with its training flags.

    Attributes:
      apply: the function; if a flag is a field of the module, the one of the module with that field set.
      options: the flags that are arguments.
      has_flag: whether the model has a training flag by name.
    """

    apply: ApplyFn
    options: dict[str, bool]
    has_flag: bool


def training_call(apply_fn: ApplyFn, train: bool) -> TrainingCall:
    """Set every one of `FLAGS` that a model has, for training or evaluation.

    An argument takes precedence over a field of the same name, unless the field is set and the argument defaults to
    None, as in the layers of Flax, which use either. A model with `**options` gets `train`.

    Args:
      apply_fn: `module.apply`, or a function.
      train: whether the model trains.

    Example:
      >>> training_call(nn.Dropout(0.5).apply, True).options
      {'deterministic': False}
    """
    accepted, module = accepted_arguments(apply_fn), linen_module(apply_fn)
    values = {name: training if train else not training for name, training in FLAGS.items()}
    options = {name: value for name, value in values.items() if name in accepted}
    fields: dict[str, Value] = {}
    if module is not None:
        module_fields = {field.name for field in dataclasses.fields(module)}
        for name in [
            name for name in FLAGS if name in module_fields and isinstance(getattr(module, name), bool | None)
        ]:
            field_value = getattr(module, name)
            if name not in options or (field_value is not None and accepted[name].default is None):
                options.pop(name, None)
                fields[name] = values[name]
    has_flag = bool(options or fields)
    if not has_flag and takes(accepted, "train"):
        options = {"train": train}
    return TrainingCall(module.clone(**fields).apply if module and fields else apply_fn, options, has_flag)


@contextlib.contextmanager
def watch_layers(train: bool, has_flag: bool, has_key: bool) -> Iterator[None]:
    """Check, inside the block, that noise and batch statistics of Linen layers are on in training and off otherwise.

    Args:
      train: whether the model trains.
      has_flag: whether the model has a training flag.
      has_key: whether there is a key for noise; then noise may act in evaluation too.

    Raises:
      InputError: in a model without a training flag, a layer is off in training or on in evaluation; the message names
        the layer and the flags. Also if the term that a layer adds to the loss would be lost. If the model has a flag
        and yet no layer is on in training, there is a `ModelWarning`.
    """
    inactive: list[str] = []
    active: list[str] = []

    def check(
        call: Callable[..., PyTree],
        args: tuple[Value, ...],
        kwargs: dict[str, Value],
        context: nn.module.InterceptorContext,
    ) -> PyTree:
        if context.method_name != "__call__":
            return call(*args, **kwargs)
        layer = "/".join(context.module.path) or type(context.module).__name__
        if train and isinstance(context.module, ConcreteDense) and not context.module.is_mutable_collection(PENALTIES):
            raise InputError(
                f"{layer} adds its regularizer to the collection {PENALTIES!r}, which a function around module.apply "
                "hides; give the Linen module itself or its apply"
            )
        acts = _acts(context.module, args, kwargs)
        if acts is not None:
            (active if acts else inactive).append(layer)
        if not has_flag and acts is not None and (not acts if train else acts and not has_key):
            state = "off in training" if train else "on in evaluation"
            raise InputError(
                f"{layer} is switched {state}, because the model takes no flag that says that it trains; give "
                f"its __call__ one of {', '.join(FLAGS)}, as (self, x, train=False), and pass it on to the layer"
            )
        return call(*args, **kwargs)

    with nn.intercept_methods(check):
        yield
    if train and inactive and not active:
        warnings.warn(
            f"the model is told that it trains, but {', '.join(inactive)} stays switched off; pass the flag on to the "
            "layer if it is to act",
            ModelWarning,
            stacklevel=2,
        )


def _acts(layer: nn.Module, args: tuple[Value, ...], kwargs: dict[str, Value]) -> bool | None:
    """Whether a layer with noise or batch statistics is called as in training; None for other layers, or if unknown."""
    flag, value_in_training, strengths = "deterministic", False, []
    if isinstance(layer, nn.Dropout):
        strengths = [layer.rate]
    elif isinstance(layer, nn.MultiHeadDotProductAttention):
        strengths = [layer.dropout_rate]
    elif isinstance(layer, nn.BatchNorm):
        flag = "use_running_average"
    elif isinstance(layer, nn.SpectralNorm):
        flag, value_in_training = "update_stats", True
    elif not isinstance(layer, Noise):
        # A custom layer: named like a noise, with one of the flags, and without parameters.
        if not _OWN_NOISE.search(type(layer).__name__):
            return None
        flag = next((name for name in FLAGS if name in accepted_arguments(layer.apply)), "")
        if not flag or layer.variables.get("params"):
            return None
        value_in_training = FLAGS[flag]
        strengths = [
            getattr(layer, f.name) for f in dataclasses.fields(layer) if f.name not in ("parent", "name", flag)
        ]
    bound = inspect.signature(type(layer).__call__).bind(layer, *args, **kwargs)
    bound.apply_defaults()
    flag_value = bound.arguments.get(flag)
    flag_value = getattr(layer, flag, None) if flag_value is None else flag_value
    if not isinstance(flag_value, bool) or any(isinstance(s, int | float) and s == 0 for s in strengths):
        return None
    return flag_value == value_in_training


def _parameter(function: Callable[..., object], index: int) -> str | None:
    names = list(inspect.signature(function).parameters)
    return names[index] if len(names) > index else None


@dataclasses.dataclass(frozen=True)
class _LinenInit:
    module: nn.Module

    def __call__(self, key: PRNGKey, x: Array) -> tuple[PyTree, PyTree]:
        apply, flags, _ = training_call(self.module.apply, False)
        options: dict[str, Value] = dict(flags)
        variables = dict((linen_module(apply) or self.module).init(key, x, **options))
        params = variables.pop("params", {})
        # What layers sow belongs to a forward pass, not to the model.
        return params, {name: value for name, value in variables.items() if name not in (PENALTIES, ACTIVATIONS)}


@dataclasses.dataclass(frozen=True)
class _PairInit:
    init: Callable[..., PyTree]

    def __call__(self, key: PRNGKey, x: Array) -> tuple[PyTree, PyTree]:
        call = training_call(self.init, False)  # Haiku's init takes the arguments of the net
        return self.init(key, x, **(call.options if call.has_flag else {})), {}


@dataclasses.dataclass(frozen=True)
class _PairApply:
    # Without a docstring, dataclasses ask for the signature of the class, which in Python 3.11.2 is that property.
    """Call the `apply` of a pair of functions with the arguments that it takes."""

    apply: ApplyFn

    @property
    def __signature__(self) -> inspect.Signature:
        # The parameters of the wrapped function decide which options it gets.
        signature = inspect.signature(self.apply)
        if not self._takes_rng:
            return signature
        parameters = [p.replace(name="rngs") if p.name == "rng" else p for p in signature.parameters.values()]
        return signature.replace(parameters=parameters)

    @property
    def _takes_rng(self) -> bool:
        return _parameter(self.apply, 1) == "rng"

    def __call__(self, variables: PyTree, x: Array, **options: Value) -> PyTree:
        if self._takes_rng:  # as in Haiku
            return self.apply(variables["params"], options.pop("rngs", {}).get("dropout"), x, **options)
        return self.apply(variables["params"], x, **options)
