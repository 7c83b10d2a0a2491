"""From flags to data, `Spec` and `Hparams`."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from regjax import data
from regjax.augment import Augmentation
from regjax.augment import make as make_augmentation
from regjax.averaging import parse_average
from regjax.catalog import NOISES
from regjax.cli import app, flags
from regjax.comparison.prepare import check_outputs, default_augmentation, noises_of, train_examples_of
from regjax.comparison.registry import Setting, resolve
from regjax.comparison.techniques import Technique, penalty_technique
from regjax.core.mesh import make_mesh
from regjax.core.typing import Batch
from regjax.models import parse_model
from regjax.noise import WEIGHT_NOISES
from regjax.optim.optimizers import with_penalties
from regjax.penalties import Penalty, check_route, combine, l1, l2, parse_penalty
from regjax.penalties.constraints import parse_constraint
from regjax.penalties.outputs import parse_output_penalties
from regjax.stopping import NEVER, EarlyStopping
from regjax.training.loss import build_loss
from regjax.training.program import weight_shapes
from regjax.training.spec import Hparams, Spec, make_hparams
from regjax.training.state import TrainData
from regjax.training.stream import StreamLoader, validation_limit


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A dataset, split and standardized."""

    splits: data.Splits
    preprocessor: data.Preprocessor


def load(values: dict[str, Any], preprocessor: data.Preprocessor | None = None) -> Loaded:
    """The dataset that the flags name.

    Args:
      values: of the flags.
      preprocessor: of a run that goes on; None fits one, which reads a streamed training pool twice.

    Raises:
      FlagError: it cannot be read, or a size does not fit it.
    """
    lazy = values.get("loader") == "stream"
    dataset = flags.about(
        "dataset", lambda: data.load(values["dataset"], data_dir=values["data_dir"], target=values["target"], lazy=lazy)
    )
    for line in dataset.notes:
        app.note(line)
    splits = flags.about("dataset", lambda: data.split(dataset, seed=values["seed"]))
    flags.about("dataset", splits.check_classes)
    pool = len(splits.y_train)
    if values["train_examples"] is not None:
        flags.check(
            values["train_examples"] <= pool,
            "train_examples",
            f"at most {pool} of {dataset.name} are for training",
        )
    if values["label_noise"]:
        flags.check(
            splits.task == "classification",
            "label_noise",
            f"{dataset.name} is a regression set, it has no classes",
        )
    return Loaded(splits, preprocessor or flags.about("dataset", lambda: data.Preprocessor.for_splits(splits)))


def facts(splits: data.Splits) -> dict[str, Any]:
    """What of the data a model depends on."""
    return {
        "task": splits.task,
        "num_classes": splits.num_classes,
        "num_outputs": splits.num_outputs,
        "pool": len(splits.y_train),
    }


def make_spec(values: dict[str, Any], known: dict[str, Any], loaded: Loaded | None = None) -> Spec:
    """The `Spec` of the flags.

    Raises:
      FlagError: a flag that does not fit the model or the data.
    """
    classification = known["task"] == "classification"
    n_train = values["train_examples"] or known["pool"]
    flags.check(not values["label_smoothing"] or classification, "label_smoothing", "needs a classification set")
    model = flags.about("model", lambda: _model(values, known))
    if loaded is not None:
        example = loaded.preprocessor.transform(loaded.splits.x_train[:1])
        flags.about("model", lambda: check_outputs(model, example, loaded.splits))
    return Spec(
        model=model,
        task=known["task"],
        num_classes=known["num_classes"],
        batch_size=values["batch_size"],
        steps_per_epoch=math.ceil(n_train / values["batch_size"]),
        epochs=values["epochs"],
        optimizer=values["optimizer"],
        schedule=values["schedule"],
        augmentation=augmentation(values, loaded),
        rate_schedule=values.get("rate_schedule", "constant"),
        smoothing=values.get("smoothing", "uniform"),
        precision=values.get("precision", "float32"),
    )


def with_mesh(values: dict[str, Any], spec: Spec) -> Spec:
    """The `Spec` with its batches split over --data_devices.

    Raises:
      FlagError: more devices than there are, or a batch that they cannot share.
    """
    if values["data_devices"] == 1:
        return spec
    mesh = flags.about("data_devices", lambda: make_mesh(1, values["data_devices"]))
    return flags.about("data_devices", lambda: dataclasses.replace(spec, mesh=mesh))


def augmentation(values: dict[str, Any], loaded: Loaded | None) -> Augmentation | None:
    """The augmentation of --augment, or None.

    Raises:
      FlagError: it cannot be read, or does not fit the data.
    """
    if not values["augment"] or loaded is None:
        return None
    if values["augment"] == "default":
        made = default_augmentation(loaded.splits)
    else:
        made = flags.about("augment", lambda: make_augmentation(values["augment"]))
    splits = loaded.splits
    flags.about("augment", lambda: made.check_fits(splits.kind, splits.name, splits.x_train.shape[1:]))
    return made.between(loaded.preprocessor.background, loaded.preprocessor.white)


def check_techniques(values: dict[str, Any], loaded: Loaded, model: Any, wanted: dict[Any, tuple[float, ...]]) -> None:
    """Refuse techniques and grids that no run could use.

    Raises:
      FlagError: names --grid or --techniques and the value.
    """
    count, splits = train_examples_of(values["train_examples"], loaded.splits), loaded.splits
    classes = splits.task == "classification"
    facts_of_run = Setting(count, len(splits.y_train), noises=noises_of(model), classes=classes)
    flags.about("grid" if values["grid"] else "techniques", lambda: resolve(wanted, facts_of_run))


def penalty_techniques(values: dict[str, Any], spec: Spec, x: Any) -> list[Technique]:
    """A row of the comparison for each --try_penalty.

    Raises:
      FlagError: a text that is no penalty, or one that the model or the mode cannot take.
    """
    made: list[Technique] = []
    shapes = weight_shapes(spec, x).params

    def technique(text: str) -> Technique:
        if any(text == other.name for other in made):
            raise ValueError("is given twice")
        penalty = parse_penalty(text)
        _try_penalty(penalty, values["penalty_mode"], spec.optimizer, shapes)
        return penalty_technique(text, penalty, values["penalty_mode"], taken=[other.title for other in made])

    for text in values["try_penalty"]:
        made.append(flags.about("try_penalty", functools.partial(technique, text), text))
    return made


def regularizer_arguments(values: dict[str, Any], present: tuple[str, ...] = ()) -> dict[str, Any]:
    """The regularizer flags as keyword arguments of `make_hparams`; what is off is absent.

    Args:
      values: of the flags.
      present: names that are there even when they are 0, because they are swept.
    """
    arguments: dict[str, Any] = {}
    penalty = penalty_of(values, present)
    if penalty is not None:
        arguments["penalties"] = {values["penalty_mode"]: penalty}
    if values.get("constraint"):
        arguments["constraint"] = flags.about("constraint", lambda: parse_constraint(values["constraint"]))
    if values.get("average"):
        average = flags.about("average", lambda: parse_average(values["average"]))
        cycles = average.schedule_shape() is not None
        flags.check(not cycles or values["schedule"] == "constant", "schedule", f"{average.kind} has cycles of its own")
        arguments["average"] = average
    # A run of an earlier version lacks some of these flags.
    rates = {name: values.get(name, 0.0) for name in NOISES if values.get(name) or name in present}
    if rates:
        arguments["rates"] = rates
    if values.get("output_penalty"):
        parsed = flags.about("output_penalty", lambda: parse_output_penalties(values["output_penalty"]))
        arguments["output_penalties"] = [p.scaled(values.get("output_penalty_factor", 1.0)) for p in parsed]
    both = values.get("sam") and values.get("gradient_noise")
    flags.check(not both, "gradient_noise", "excludes --sam, which moves on by a second gradient")
    for name in ("label_smoothing", "mixup", "cutmix", "sam", "gradient_noise"):
        if values.get(name) or name in present:
            arguments[name] = values[name]
    return arguments


def penalty_of(values: dict[str, Any], present: tuple[str, ...] = ()) -> Penalty | None:
    """The sum of --l1, --l2 and --penalty, the latter times `penalty_factor`; None if there is none.

    Raises:
      FlagError: a text that is no penalty.
    """
    terms = [make(values[name]) for name, make in (("l1", l1), ("l2", l2)) if values[name] or name in present]
    if values.get("penalty"):
        parsed = flags.about("penalty", lambda: parse_penalty(values["penalty"]))
        terms.append(parsed.scaled(values.get("penalty_factor", 1.0)))
    return combine(terms) if terms else None


def check_regularizers(values: dict[str, Any], spec: Spec, x: Any, present: tuple[str, ...] = ()) -> Any:
    """Try penalty and constraint on the shapes of the model's parameters, before any work.

    Returns:
      The shapes of the parameters.

    Raises:
      FlagError: a mode that the penalty does not support with this optimizer, a pattern that matches nothing, an axis
        that a leaf does not have, a sum without a proximal map.
    """
    shapes = weight_shapes(spec, x).params
    arguments = regularizer_arguments(values, present)
    name = "penalty" if values.get("penalty") else "penalty_mode"
    for mode, penalty in arguments.get("penalties", {}).items():
        flags.about(name, functools.partial(_try_penalty, penalty, mode, spec.optimizer, shapes))
    accepted = getattr(spec.model, "accepted_rates", ())
    for rate in arguments.get("rates", {}):
        known = rate in WEIGHT_NOISES or rate in accepted
        has = ", ".join([*accepted, *WEIGHT_NOISES])
        flags.check(known, rate, f"{values['model']} has no such noise ({NOISES[rate].help}); it has {has}")
    if "output_penalties" in arguments:
        flags.about("output_penalty", functools.partial(_try_outputs, arguments["output_penalties"], spec, x))
    if "constraint" in arguments:
        flags.about("constraint", functools.partial(jax.eval_shape, arguments["constraint"].project, shapes))
    return shapes


def _try_penalty(penalty: Penalty, mode: str, optimizer: str, shapes: Any) -> None:
    """Value and update of a penalty on shapes alone; raises the ValueError that training would."""
    check_route(penalty, mode)
    jax.eval_shape(lambda params: penalty.anchored(params).value(params), shapes)

    def update(params: Any) -> Any:
        tx = with_penalties(optimizer, 1.0, {mode: penalty.anchored(params)})
        return tx.update(params, tx.init(params), params)

    if mode != "loss":
        jax.eval_shape(update, shapes)


def _try_outputs(penalties: Any, spec: Spec, x: Any) -> None:
    """The terms on shapes alone; raises the ValueError that training would."""
    for penalty in penalties:
        if penalty.needs_classes and spec.task != "classification":
            raise ValueError(f"{penalty.kind} needs a classification set")
    weights, examples = weight_shapes(spec, x), jax.ShapeDtypeStruct((2, *np.shape(x)[1:]), jnp.float32)

    def loss(weights: Any, examples: Any) -> Any:
        apply_fn = spec.model.apply
        loss_fn = build_loss(apply_fn, lambda outputs, y: jnp.sum(outputs) + 0 * y[0], output_penalties=penalties)
        batch = Batch(examples, jnp.zeros(2))
        return loss_fn(weights.params, batch, jax.random.key(0), model_state=weights.model_state)[0]

    jax.eval_shape(loss, weights, examples)


def hparams_of(
    values: dict[str, Any], known: dict[str, Any], restore_best: bool, present: tuple[str, ...] = ()
) -> Hparams:
    """The `Hparams` of the flags.

    Args:
      values: of the flags; `augment_strength` is the strength of the augmentation, 1 if absent.
      known: facts of the data.
      restore_best: whether the run ends with its best weights.
      present: regularizers that exist even at strength 0.
    """
    stopping = EarlyStopping(
        patience=NEVER if values["patience"] is None else values["patience"],
        min_delta=values["min_delta"],
        criterion=values["stop_criterion"],
    )
    return make_hparams(
        learning_rate=values["learning_rate"],
        n_train=values["train_examples"] or known["pool"],
        augment=values.get("augment_strength", 1.0) if values["augment"] else None,
        stopping=stopping,
        restore_best=restore_best,
        **regularizer_arguments(values, present),
    )


def train_data(loaded: Loaded, values: dict[str, Any], seeds: list[int], *, validation: str) -> TrainData:
    """Standardized arrays for training; `validation` is `"stop"` or `"all"` of the validation part."""
    splits, pre = loaded.splits, loaded.preprocessor
    y, order = _targets_and_order(loaded, values, seeds)
    x_val, y_val = (splits.x_stop, splits.y_stop) if validation == "stop" else validation_part(splits)
    # Put, not jnp.asarray, which compiles a program for each shape.
    return TrainData(
        x=jax.device_put(pre.transform(splits.x_train)),
        y=jax.device_put(y),
        order=jax.device_put(order),
        x_val=jax.device_put(pre.transform(x_val)),
        y_val=jax.device_put(pre.target_transform(y_val)),
    )


def stream_data(loaded: Loaded, values: dict[str, Any], spec: Spec) -> tuple[TrainData, StreamLoader]:
    """What evaluations look at, in memory, and the loader of the rest; as `train_data` of one seed.

    Raises:
      FlagError: a record that cannot be read.
    """
    splits, pre = loaded.splits, loaded.preprocessor
    y, order = _targets_and_order(loaded, values, [values["seed"]])
    loader = StreamLoader(splits.x_train, y[0], order[0], pre.transform, threads=values["read_threads"])
    x_val, y_val = validation_part(splits)
    limit = validation_limit(x_val.shape[1:])
    x_val, y_val = x_val[:limit], y_val[:limit]
    if isinstance(splits.x_test, data.Rows):
        # What is damaged there should be known before the training, not after it.
        flags.about("dataset", splits.x_test.check)
    held = flags.about("dataset", lambda: loader.held(spec, pre.transform(x_val), pre.target_transform(y_val)))
    return held, loader


def validation_part(splits: data.Splits) -> tuple[Any, Any]:
    """The whole validation part: inputs (`Rows` if they are not in memory) and targets."""
    return data.joined([splits.x_stop, splits.x_select]), np.concatenate([splits.y_stop, splits.y_select])


def _targets_and_order(loaded: Loaded, values: dict[str, Any], seeds: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Targets of the pool as the model sees them, `[S, N, ...]`, and the order in which examples are used."""
    splits = loaded.splits
    order = data.nested_order(splits.y_train, seeds, splits.task, values["seed"])
    y = np.stack([loaded.preprocessor.target_transform(splits.y_train)] * len(seeds))
    if values["label_noise"]:
        y = data.noisy_labels(splits.y_train, values["label_noise"], splits.num_classes, seeds, values["seed"])
    return y, order


def _model(values: dict[str, Any], known: dict[str, Any]) -> Any:
    if values["widths"] and values["model"] == "linear":
        raise flags.FlagError(f"--widths={values['widths']}: a linear model has no hidden layers")
    widths = None if values["widths"] is None else tuple(values["widths"])
    return parse_model(values["model"], num_outputs=known["num_outputs"], widths=widths, task=known["task"])
