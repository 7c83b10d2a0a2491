"""Bring any model to one calling convention: Linen modules, or a pair of functions `(init, apply)`.

This is the one place that knows how a model is told that it trains; see `FLAGS`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from regjax.core.checks import in_short
from regjax.core.errors import InputError
from regjax.core.typing import Array, PRNGKey, PyTree
from regjax.noise.linen import ACTIVATIONS, PENALTIES, ConcreteDense, Noise

FLAGS = {"train": True, "training": True, "is_training": True, "deterministic": False, "inference": False}
"""Arguments (or fields of a Linen module) that tell a model whether it trains, and what they are when it does."""

_OWN_NOISE = re.compile("drop|noise|stochastic", re.IGNORECASE)


class ModelWarning(UserWarning):
    """A model is used in a way that is seldom meant."""


class Model(NamedTuple):
    """A model as two functions.

    Attributes:
      init: `(key, x) -> (params, model_state)`.
      apply: `(variables, x, **options) -> outputs` with `variables["params"]`, for `regjax.build_loss`.
    """

    init: Callable[[PRNGKey, Array], tuple[PyTree, PyTree]]
    apply: Callable[..., Any]


def as_model(model: Any) -> Model:
    """The two functions of a Flax Linen module or of a pair `(init, apply)`.

    Args:
      model: a Linen module; or `(init, apply)` with `init(key, x) -> params` and `apply(params, x) -> outputs`, where
        `apply` may also take one of `FLAGS`, `rates`, and a key as `rngs` (a dict with the key `"dropout"`), `rng` or
        `key` (None in evaluation). The pair of Haiku's `transform`, with `apply(params, rng, x)`, is one too.

    Raises:
      ValueError: anything else.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> pair = (lambda key, x: {"w": jnp.zeros(x.shape[1])}, lambda params, x: x @ params["w"])
      >>> params, state = as_model(pair).init(jax.random.key(0), jnp.ones((1, 3)))
      >>> params["w"].shape, state
      ((3,), {})

      A module of `flax.nnx` keeps the mode it was split in, so `apply` sets it:

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
    if isinstance(model, tuple) and len(model) == 2 and all(callable(part) for part in model):
        modules = [linen_module(part) for part in model]
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
    """Refuse batch statistics among the parameters: a gradient moves them, if anything, and no batch does.

    Args:
      params: of any make; the types of `flax.nnx` and collections of Linen tell what is a statistic.

    Raises:
      InputError: names the first one.

    Example:
      >>> check_no_statistics({"w": 1.0})
    """

    def is_statistic(node: Any) -> bool:
        return type(node).__name__ == "BatchStat"  # of nnx, which need not be imported

    for path, leaf in jax.tree_util.tree_leaves_with_path(params, is_leaf=is_statistic):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if is_statistic(leaf) or name.split("/")[0] == "batch_stats":
            raise InputError(
                f"params hold the batch statistics {name}, which would never move; train a Linen module as it is, or "
                "leave them out, as nnx.split(net, nnx.Param, ...) does, where they stay as they are"
            )


def hashable(model: Any) -> Any:
    """The model, its fields that are lists as tuples: a compiled program is found by the hash of its model.

    Args:
      model: a Linen module, as `nn.Sequential([...])`, or a pair.

    Raises:
      InputError: a field that stays without a hash, as an array; the message names it.

    Example:
      >>> hashable(nn.Sequential([nn.Dense(2)])).layers == (nn.Dense(2),)
      True
    """
    if _has_hash(model):
        return model
    if not isinstance(model, nn.Module):
        raise InputError(f"the model must be hashable, got {in_short(model)}")
    given = {f.name: getattr(model, f.name) for f in dataclasses.fields(model) if f.init and f.name != "parent"}
    fields: dict[str, Any] = {name: _frozen(value) for name, value in given.items() if not _has_hash(value)}
    for name, value in fields.items():
        if not _has_hash(value):
            raise InputError(f"{type(model).__name__}: field {name!r} must be hashable, got {in_short(given[name])}")
    return model.clone(**fields)


def _frozen(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_frozen(part) for part in value)
    if isinstance(value, dict):
        return nn.FrozenDict(value)
    return hashable(value) if isinstance(value, nn.Module) else value


def _has_hash(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def accepted_arguments(apply_fn: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """What a model takes beside the input, by name: of a Linen module, what its `__call__` takes."""
    module = linen_module(apply_fn)
    if isinstance(module, nn.Sequential):
        return {}  # its ** goes to the first layer alone
    return inspect.signature(apply_fn if module is None else type(module).__call__).parameters


def linen_module(apply_fn: Callable[..., Any]) -> nn.Module | None:
    """The module whose `apply` this is, or None."""
    module = getattr(apply_fn, "__self__", None)
    return module if isinstance(module, nn.Module) else None


def takes(accepted: Mapping[str, inspect.Parameter], name: str) -> bool:
    """Whether an argument is among those accepted, by name or by `**`.

    Example:
      >>> takes(inspect.signature(lambda x, **options: x).parameters, "rates")
      True
    """
    return name in accepted or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())


def key_options(accepted: Mapping[str, inspect.Parameter], linen: bool, key: PRNGKey | None) -> dict[str, Any]:
    """How a model gets the key of its noise: as `rngs` or, of functions, as `rng` or `key`.

    Args:
      accepted: what the model takes.
      linen: whether it is a Linen module, whose `apply` takes `rngs`.
      key: one key; None where nothing is random, and then given only where something must be.

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


class Told(NamedTuple):
    """How to call a model so that it knows whether it trains.

    Attributes:
      apply: the function; of a module whose flag is a field, that of the module with the field set.
      options: the flags that are arguments.
      known: whether there was any flag by its name.
    """

    apply: Callable[..., Any]
    options: dict[str, bool]
    known: bool


def tell(apply_fn: Callable[..., Any], train: bool) -> Told:
    """Find how a model is told that it trains: by every one of `FLAGS` that it takes.

    An argument comes before a field of the same name, unless the field is set and the argument defaults to None, as in
    Flax's own layers, which take the one or the other. `**options` takes `train`.

    Args:
      apply_fn: `module.apply`, or a function.
      train: what to tell.

    Example:
      >>> tell(nn.Dropout(0.5).apply, True).options
      {'deterministic': False}
    """
    accepted, module = accepted_arguments(apply_fn), linen_module(apply_fn)
    values = {name: training if train else not training for name, training in FLAGS.items()}
    options = {name: value for name, value in values.items() if name in accepted}
    fields: dict[str, Any] = {}
    if module is not None:
        own = {field.name for field in dataclasses.fields(module)}
        for name in [name for name in FLAGS if name in own and isinstance(getattr(module, name), bool | None)]:
            given = getattr(module, name)
            if name not in options or (given is not None and accepted[name].default is None):
                options.pop(name, None)
                fields[name] = values[name]
    known = bool(options or fields)
    if not known and takes(accepted, "train"):
        options = {"train": train}
    return Told(module.clone(**fields).apply if module and fields else apply_fn, options, known)


@contextlib.contextmanager
def watch_layers(train: bool, told: bool, keyed: bool) -> Iterator[None]:
    """Inside, the Linen layers that act in training only are watched, whether they do what they are asked to.

    Args:
      train: whether the model trains.
      told: whether it was told so by a flag.
      keyed: whether there is a key for noise; then noise may act in evaluation too.

    Raises:
      InputError: a layer of a model that was not told is off in training or on in evaluation; names the layer and says
        how a model is told that it trains. So is a layer whose term of the loss would be lost. If the model was told,
        and no layer is on, a `ModelWarning` says so.
    """
    off: list[str] = []
    on: list[str] = []

    def look(call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
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
            (on if acts else off).append(layer)
        if not told and acts is not None and (not acts if train else acts and not keyed):
            state = "off in training" if train else "on in evaluation"
            raise InputError(
                f"{layer} is switched {state}, because the model takes no flag that says that it trains; give "
                f"its __call__ one of {', '.join(FLAGS)}, as (self, x, train=False), and pass it on to the layer"
            )
        return call(*args, **kwargs)

    with nn.intercept_methods(look):
        yield
    if train and off and not on:
        warnings.warn(
            f"the model is told that it trains, but {', '.join(off)} stays switched off; pass the flag on to the "
            "layer if it is to act",
            ModelWarning,
            stacklevel=2,
        )


def _acts(layer: nn.Module, args: Any, kwargs: Any) -> bool | None:
    """Whether a layer of noise or of batch statistics is called as in training; None of others, and if unknown."""
    flag, when_on, strengths = "deterministic", False, []
    if isinstance(layer, nn.Dropout):
        strengths = [layer.rate]
    elif isinstance(layer, nn.MultiHeadDotProductAttention):
        strengths = [layer.dropout_rate]
    elif isinstance(layer, nn.BatchNorm):
        flag = "use_running_average"
    elif isinstance(layer, nn.SpectralNorm):
        flag, when_on = "update_stats", True
    elif not isinstance(layer, Noise):
        # A layer of the user's own: called like a noise, with one of the flags, and without parameters.
        if not _OWN_NOISE.search(type(layer).__name__):
            return None
        flag = next((name for name in FLAGS if name in accepted_arguments(layer.apply)), "")
        if not flag or layer.variables.get("params"):
            return None
        when_on = FLAGS[flag]
        strengths = [
            getattr(layer, f.name) for f in dataclasses.fields(layer) if f.name not in ("parent", "name", flag)
        ]
    bound = inspect.signature(type(layer).__call__).bind(layer, *args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments.get(flag)
    given = getattr(layer, flag, None) if given is None else given
    if not isinstance(given, bool) or any(isinstance(s, int | float) and s == 0 for s in strengths):
        return None
    return given == when_on


def _parameter(function: Callable[..., Any], index: int) -> str | None:
    names = list(inspect.signature(function).parameters)
    return names[index] if len(names) > index else None


@dataclasses.dataclass(frozen=True)
class _LinenInit:
    module: nn.Module

    def __call__(self, key: PRNGKey, x: Array) -> tuple[PyTree, PyTree]:
        apply, flags, _ = tell(self.module.apply, False)
        options: dict[str, Any] = dict(flags)
        variables = dict((linen_module(apply) or self.module).init(key, x, **options))
        params = variables.pop("params", {})
        # What layers sow belongs to a pass, not to the model.
        return params, {name: value for name, value in variables.items() if name not in (PENALTIES, ACTIVATIONS)}


@dataclasses.dataclass(frozen=True)
class _PairInit:
    init: Callable[..., PyTree]

    def __call__(self, key: PRNGKey, x: Array) -> tuple[PyTree, PyTree]:
        told = tell(self.init, False)  # as Haiku's, which takes what the net takes
        return self.init(key, x, **(told.options if told.known else {})), {}


@dataclasses.dataclass(frozen=True)
class _PairApply:
    apply: Callable[..., Any]

    @property
    def __signature__(self) -> inspect.Signature:
        # What the wrapped function takes decides which options it is given.
        found = inspect.signature(self.apply)
        if not self._takes_rng:
            return found
        parameters = [p.replace(name="rngs") if p.name == "rng" else p for p in found.parameters.values()]
        return found.replace(parameters=parameters)

    @property
    def _takes_rng(self) -> bool:
        return _parameter(self.apply, 1) == "rng"

    def __call__(self, variables: PyTree, x: Array, **options: Any) -> Any:
        if self._takes_rng:  # as Haiku's do
            return self.apply(variables["params"], options.pop("rngs", {}).get("dropout"), x, **options)
        return self.apply(variables["params"], x, **options)
