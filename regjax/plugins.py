"""Methods from outside the package: register one, and flags, checks, comparisons and reports know it by its name.

    # my_methods.py
    import regjax as rj

    rj.register_penalty(rj.Method("twice", "L1 twice", grid=(1e-3, 1e-2)), lambda strength: 2 * rj.l1(strength))

`REGJAX_PLUGINS=my_methods regjax compare --techniques=l1,twice` imports the module before it reads flags; several are
separated by commas. Plugins are code: name those that you trust.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping

import optax

from regjax import catalog, noise
from regjax.augment.registry import AUGMENTATIONS, Kind
from regjax.catalog import Method
from regjax.comparison import registry
from regjax.comparison.techniques import Technique
from regjax.core.errors import InputError
from regjax.core.typing import Array, PenaltyMode
from regjax.data.readers import FORMATS, Format
from regjax.models.base import NoisyModel
from regjax.models.registry import MODELS
from regjax.optim.optimizers import OPTIMIZERS, Optimizer
from regjax.optim.stepsizes import StepSize
from regjax.penalties import PENALTIES, Penalty
from regjax.penalties.outputs import OUTPUT_PENALTIES, OutputPenalty
from regjax.stopping import CRITERIA, REASONS, Criterion

VARIABLE = "REGJAX_PLUGINS"


def register_penalty(method: Method, make: Callable[..., Penalty], *, mode: PenaltyMode = "loss") -> None:
    """A penalty on parameters: `--penalty="NAME(0.1)"`, `rj.parse_penalty`, and a row of a comparison if it has a grid.

    Args:
      method: its record in the catalogue.
      make: `(strength, ...) -> penalty`.
      mode: how the row of a comparison enters the training.

    Raises:
      InputError: the name is taken or not a valid one.

    Example:
      >>> from regjax.penalties import l1, parse_penalty
      >>> register_penalty(Method("twice", "L1 twice", grid=(1e-3, 1e-2)), lambda strength: 2 * l1(strength))
      >>> float(parse_penalty("twice(0.5)").flat()[0].strength)
      1.0
    """
    _add(catalog.PENALTIES, method)
    PENALTIES[method.name] = make
    _add_row(method, functools.partial(registry.penalty_maker, method.name, mode))


def register_output_penalty(method: Method, make: Callable[..., OutputPenalty]) -> None:
    """A penalty on what a model computes: `--output_penalty="NAME(0.1)"`, and a row of a comparison if it has a grid.

    Args:
      method: its record in the catalogue.
      make: `(strength, ...) -> output penalty`.

    Raises:
      InputError: the name is taken or not a valid one.

    Example:
      >>> from regjax.penalties.outputs import confidence, parse_output_penalties
      >>> register_output_penalty(Method("flat", "flat"), lambda strength: confidence(10 * strength))
      >>> float(parse_output_penalties("flat(0.5)")[0].strength)
      5.0
    """
    _add(catalog.OUTPUT_PENALTIES, method)
    OUTPUT_PENALTIES[method.name] = make
    _add_row(method, registry.output_maker)


def register_noise(method: Method, function: Callable[..., Array], *, on_weights: bool = False) -> None:
    """A noise: `--NAME=0.1`, a rate that models of one's own read by this name, a row of a comparison if it has a grid.

    Args:
      method: its record in the catalogue; `high=1.0, high_open=True` for a fraction.
      function: `(key, x, rate) -> x`.
      on_weights: whether it acts on the weights, and so in every model. Otherwise a model calls it, and names it in
        `accepted_rates`.

    Raises:
      InputError: the name is taken or not a valid one.

    Example:
      >>> method = Method("halves", "halves", "rate", high=1.0, high_open=True)
      >>> register_noise(method, lambda key, x, rate: x - x * rate / 2)
      >>> noise.NOISES["halves"](None, 2.0, 0.5)
      1.5
    """
    _add(catalog.NOISES, method)
    noise.NOISES[method.name] = function
    if not method.high_open:
        noise.UNBOUNDED.add(method.name)
    if on_weights:
        noise.WEIGHT_NOISES[method.name] = function
    _add_row(method, registry.noise_maker)


def register_augmentation(
    method: Method,
    apply: Callable[..., Array],
    *,
    typical: float,
    takes: str = "images",
    standardized: bool | None = None,
) -> None:
    """An augmentation: `--augment="NAME=0.5"`, `rj.augment.make`, and a card of the gallery.

    Args:
      method: its record in the catalogue.
      apply: `(key, x, magnitude, ...) -> x`, the identity at magnitude 0.
      typical: a magnitude that is strong but still used.
      takes: `"images"`, `"rows"` of a table, or `"any"` examples.
      standardized: whether it acts on standardized inputs, where 0 is the mean; otherwise on what was read, as uint8
        pixels or floats from 0 (black) to 1 (white). None: what is for images alone acts on pixels.

    Raises:
      InputError: the name is taken or not a valid one.

    Example:
      >>> from regjax.augment import make
      >>> register_augmentation(Method("dim", "dim", high=1.0), lambda key, x, m: x * (1 - m), typical=0.5, takes="any")
      >>> str(make("dim=0.25"))
      'dim=0.25'
    """
    _add(catalog.AUGMENTATIONS, method)
    inputs = takes != "images" if standardized is None else standardized
    AUGMENTATIONS[method.name] = Kind(apply, typical, takes, inputs)


def register_optimizer(
    name: str,
    build: Callable[..., optax.GradientTransformation],
    *,
    defaults: Mapping[str, float] | None = None,
    stepsize: Callable[..., StepSize] | None = None,
) -> None:
    """An optimizer: `--optimizer=NAME`, `rj.make_optimizer`.

    Args:
      name: of the optimizer.
      build: `(learning rate, **hyperparameters) -> optax transform`, without weight decay.
      defaults: its further hyperparameters, with their defaults.
      stepsize: `(learning rate, **hyperparameters) -> StepSize` of the proximal map; None where theory gives none.

    Raises:
      InputError: the name is taken or not a valid one.

    Example:
      >>> from regjax.optim import stepsizes
      >>> from regjax.optim.optimizers import make_optimizer
      >>> from regjax.penalties import l1
      >>> register_optimizer("plain", lambda rate: optax.sgd(rate), stepsize=stepsizes.sgd)
      >>> tx = make_optimizer("plain", 0.1, penalty=l1(0.5), mode="proximal")
    """
    _add_name(catalog.OPTIMIZERS, name)
    reason = "" if stepsize else "it was registered without one"
    OPTIMIZERS[name] = Optimizer(build, dict(defaults or {}), stepsize, reason)


def register_model(name: str, model: type[NoisyModel]) -> None:
    """A model: `--model=NAME`, `rj.models.make_model`.

    Args:
      name: of the model.
      model: a Linen module with the fields `num_outputs` and `task`; see `regjax.models.NoisyModel`.

    Raises:
      InputError: the name is taken or not a valid one.

    Example:
      >>> from regjax.models import MLP, make_model
      >>> class Small(MLP):
      ...     widths: tuple[int, ...] = (8,)
      >>> register_model("small", Small)
      >>> make_model("small", num_outputs=2).widths
      (8,)
    """
    _add_name(catalog.MODELS, name)
    MODELS[name] = model


def register_criterion(name: str, criterion: Criterion) -> None:
    """A criterion of early stopping: `--stop_criterion=NAME`, `rj.EarlyStopping(criterion=NAME)`.

    Args:
      name: of the criterion; also the reason that a run which it ends gives.
      criterion: a state and how it moves.

    Raises:
      InputError: the name is taken or not a valid one.

    Example:
      >>> from regjax.stopping import EarlyStopping
      >>> above = Criterion(lambda: (), lambda state, value, best, train: (state, value > 2 * best))
      >>> register_criterion("above", above)
      >>> rule = EarlyStopping(criterion="above")
      >>> state = rule.update(rule.update(rule.init(), 1.0), 3.0)
      >>> state.reason_name
      'above'
    """
    if name in REASONS:
        raise InputError(f"register: the name {name!r} is taken")
    _add_name(catalog.STOP_CRITERIA, name)
    CRITERIA[name] = criterion
    REASONS.append(name)


def register_technique(technique: Technique) -> None:
    """A row of comparisons: `--techniques=NAME`, `rj.compare(..., techniques=[NAME])`.

    Args:
      technique: as for `rj.compare`; with `flags`, the commands that repeat its runs are known too.

    Raises:
      InputError: the name is taken or not a valid one.

    Example:
      >>> slow = Technique("slow", "slow", "learning rate", (1e-4, 1e-3), lambda rate: {"learning_rate": rate})
      >>> register_technique(slow)
      >>> catalog.TECHNIQUES["slow"].grid
      (0.0001, 0.001)
    """
    method = Method(technique.name, technique.title, technique.parameter, grid=technique.values)
    _add(catalog.TECHNIQUES, method)
    registry.MAKERS[technique.name] = lambda method, context: technique


def register_reader(ending: str, reader: Format) -> None:
    """A format of data: `--dataset=FILE.ending`, `rj.data.load`, and the input of `predict`.

    Args:
      ending: of the files, in small letters with its dot, as `".tsv"`.
      reader: what reads them; see `regjax.data.readers.Format`.

    Raises:
      InputError: the ending is taken or not a valid one.

    Example:
      >>> import numpy as np
      >>> from regjax.data import from_arrays
      >>> def load(path, *, task=None, lazy=False):
      ...     table = np.loadtxt(path)
      ...     return from_arrays(table[:, :-1], table[:, -1].astype(int), task=task, name=path.stem)
      >>> def inputs(path, preprocessor, note):
      ...     x = np.loadtxt(path)
      ...     return x, [str(row) for row in range(len(x))]
      >>> register_reader(".dat", Format(load, inputs))
    """
    if not re.fullmatch(r"\.[a-z0-9]+", ending):
        raise InputError(f"register: {ending!r} is not an ending; write it in small letters with its dot, as '.tsv'")
    if ending in FORMATS:
        raise InputError(f"register: the ending {ending!r} is taken")
    FORMATS[ending] = reader


def load_plugins() -> None:
    """Import the modules that the environment variable `REGJAX_PLUGINS` names.

    Raises:
      InputError: one that cannot be imported, with the reason.
    """
    named = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    if named and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    for name in named:
        try:
            importlib.import_module(name)
        except Exception as error:
            raise InputError(f"{VARIABLE}: {name!r} cannot be imported: {type(error).__name__}: {error}") from error


def _add(methods: dict[str, Method], method: Method) -> None:
    _check_name(methods, method.name)
    methods[method.name] = method


def _add_name(names: list[str], name: str) -> None:
    _check_name(names, name)
    names.append(name)


def _check_name(names: Collection[str], name: str) -> None:
    if not name.isidentifier():
        raise InputError(f"register: {name!r} is not a valid name; accepted: letters, digits and _, not first a digit")
    if name in names:
        raise InputError(f"register: the name {name!r} is taken")


def _add_row(method: Method, make: registry.Maker) -> None:
    """The method as a technique, if there is a grid to try."""
    if method.grid:
        _add(catalog.TECHNIQUES, method)
        registry.MAKERS[method.name] = make
