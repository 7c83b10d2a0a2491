"""The comparison itself: strengths swept, chosen on validation, evaluated once on test, paired over seeds."""

from __future__ import annotations

import importlib.metadata
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from regjax.augment import Augmentation
from regjax.catalog import COMBINATION, SELECTIONS, TECHNIQUES
from regjax.comparison import techniques as tech
from regjax.comparison.choose import Pick, pick
from regjax.comparison.prepare import (
    as_augmentation,
    as_splits,
    check_outputs,
    described_task,
    label_noise_of,
    noises_of,
    prepare,
    settings_of,
    train_examples_of,
)
from regjax.comparison.registry import Setting, resolve
from regjax.comparison.result import CompareResult, GridPoint, TechniqueResult, Trained
from regjax.comparison.scoring import (
    Evaluation,
    Scorer,
    chance_of,
    diagnose_all,
    paired_statistics,
    spread_of,
    summarize_row,
)
from regjax.comparison.train import Outcome, Progress, Runner, Trial, diverged
from regjax.core.checks import check_choice, check_range
from regjax.core.errors import InputError
from regjax.data import Dataset, Preprocessor, Splits
from regjax.models import make_model
from regjax.models.interface import as_model
from regjax.training.evaluate import SCORE
from regjax.training.preflight import check_loss
from regjax.training.program import weight_shapes
from regjax.training.run import make_run
from regjax.training.spec import Spec, make_hparams


def compare(
    model: Any,
    data: Splits | Dataset | tuple[np.ndarray, np.ndarray],
    techniques: Sequence[str | tech.Technique] | Mapping[str, Sequence[float]] | None = None,
    *,
    seeds: int = 10,
    select: str = "best",
    train_examples: int | None = None,
    label_noise: float | None = None,
    augmentation: Augmentation | str | None = None,
    epochs: int | None = None,
    batch_size: int = 32,
    optimizer: str = "adam",
    learning_rate: float = 3e-3,
    schedule: str = "constant",
    precision: str = "float32",
    patience: int = 10,
    min_delta: float = 0.0,
    stop_criterion: str = "patience",
    always: tech.Arguments | None = None,
    task: str | None = None,
    standardize: str = "auto",
    base_seed: int = 0,
    workers: int | None = None,
    directory: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> CompareResult:
    """Compare regularizers on a model and a dataset.

    Every setting of every technique trains with the same seeds, number of updates and learning rate. Runs stop early
    (where that is the technique) on one part of validation; settings are chosen on the other; the test part is
    evaluated once, for the chosen setting. The last weights count, except for early stopping and the combination with
    it, which restore their best: restoring everywhere would give every technique early stopping for free. The
    combination takes the techniques that gained on the selection part, their strengths scaled by 1/4, 1/2 or 1.

    Args:
      model: a name of `regjax.models`, a Flax Linen module, or a pair `(init, apply)`. Dropout is compared if
        it takes `rates` (see `regjax.models`).
      data: a dataset, its splits, or arrays `(x, y)`, whose y means what it means in files; see
        `regjax.data.targets.infer_task`. Integers of which nothing tells need `task`.
      techniques: names, `Technique`s or `{name: grid}`; None compares more data, augmentation, early stopping,
        L2, L1, dropout and the combination.
      seeds: how many; each varies initialization, order, noise and which examples form the training part. The
        validation and test parts are the same for all. With 5 seeds no p can be below 0.0625.
      select: `"best"`, or `"1se"`: the most regularized setting within one standard error of the best.
      train_examples: size of the training part; the rest of the pool is what "more data" adds. None takes all of the
        pool; of the embedded digits, the demonstration, 128.
      label_noise: fraction of training labels (those alone) that are replaced by another class. None is 0; on the
        embedded digits 0.1, which the first line of the result says.
      augmentation: what strength 1 does, as `"shift=1,rotate=15,noise=0.2"`; None depends on the data.
      epochs: passes over the training part at most; None makes at least 800 updates and 50 epochs.
      batch_size: examples in an update.
      optimizer: a name of `rj.make_optimizer`.
      learning_rate: the same for every setting.
      schedule: `"constant"`, `"cosine"` or `"linear"`.
      precision: of the model's arithmetic in updates, `"float32"` or `"bfloat16"`.
      patience: of early stopping, in epochs; fixed, not tuned.
      min_delta: of early stopping.
      stop_criterion: of early stopping: `"patience"`, `"gl"`, `"pq"` or `"up"`.
      always: keyword arguments of `make_hparams` that act in every run, the baseline included, as
        `{"rates": {"dropout": 0.5}}`: then the question is what helps on top of that.
      task: `"classification"` or `"regression"`, where arrays are to be read otherwise.
      standardize: of the inputs, one of `regjax.data.preprocess.STANDARDIZE`: by default images by channel, tables by
        column, sequences by feature, and integers not at all.
      base_seed: of the whole comparison.
      workers: host threads; None is one per core.
      directory: where each run is kept when it is done, weights included; what it holds already is not trained again.
      progress: called as `(runs done, runs in all, what is running)`.

    Returns:
      A `CompareResult`; `print` shows its table, `dumps()` is its JSON, `trained` holds the weights.

    Raises:
      InputError: data or an argument that cannot be used, or a directory that holds other runs.
      OSError: the directory cannot be written to, or is full; what was kept stays.

    Example:
      >>> x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
      >>> y = (x[:, 0] > 0).astype(np.int32)
      >>> result = compare("linear", (x, y), {"l2": [0.01, 0.1]}, seeds=2, epochs=2)
      >>> sorted(result.techniques)
      ['l2']
    """
    started = time.perf_counter()
    check_range("seeds", seeds, 1)
    check_range("batch_size", batch_size, 1)
    if int(seeds) != seeds:
        raise InputError(f"seeds must be a whole number, got {seeds}")
    check_range("patience", patience, 0)
    check_choice("select", select, SELECTIONS)
    splits = as_splits(data, base_seed, task)
    module = make_model(model, num_outputs=splits.num_outputs, task=splits.task) if isinstance(model, str) else model
    n_train = train_examples_of(train_examples, splits)
    label_noise = label_noise_of(label_noise, splits)
    steps = math.ceil(n_train / batch_size)
    epochs = max(50, math.ceil(800 / steps)) if epochs is None else epochs
    preprocessor = Preprocessor.for_splits(splits, standardize=standardize)
    augmentation = as_augmentation(augmentation, splits, preprocessor)
    setting = Setting(
        train_examples=n_train,
        pool=len(splits.y_train),
        patience=patience,
        min_delta=min_delta,
        criterion=stop_criterion,
        noises=noises_of(module),
        classes=splits.task == "classification",
        has_augmentation=bool(augmentation.steps),
    )
    chosen, with_combination = resolve(techniques, setting)
    example = preprocessor.transform(splits.x_train[:1])
    check_outputs(module, example, splits)
    spec = Spec(
        model=module,
        task=splits.task,
        num_classes=splits.num_classes,
        batch_size=batch_size,
        steps_per_epoch=steps,
        epochs=epochs,
        optimizer=optimizer,
        schedule=schedule,
        precision=precision,
        augmentation=augmentation,
        eval_train_examples=min(n_train, 2048),
    )
    params = weight_shapes(spec, example).params
    for technique in chosen:
        arguments = tech.merge([always or {}, technique.arguments(technique.values[0])])
        try:
            tech.check_together(arguments, params)
            check_loss(spec, make_hparams(**{"n_train": n_train, **arguments}), example, splits.num_outputs)
        except ValueError as error:
            raise InputError(f"technique {technique.name!r}: {error}") from None
    train = prepare(splits, preprocessor, setting, chosen, seeds, label_noise, base_seed)
    apply_fn = as_model(spec.model).apply
    scorer = Scorer(apply_fn, splits, preprocessor, "select")
    defaults = {"learning_rate": learning_rate, "n_train": n_train}
    runner = Runner(
        make_run(spec), defaults, always or {}, seeds, base_seed, train, scorer, workers, directory, progress
    )

    plain = tech.baseline()
    groups = [plain, *chosen]
    combined = len(TECHNIQUES[COMBINATION].grid) if with_combination else 0
    runner.expect(sum(len(t.values) for t in groups) + combined)
    trials = [Trial(t.name, value, t.arguments(value)) for t in groups for value in t.values]
    outcomes = runner.run(trials, "settings")

    rows: dict[str, tuple[tech.Technique, list[Outcome]]] = {
        t.name: (t, [outcome for outcome in outcomes if outcome.trial.technique == t.name]) for t in groups
    }
    picks = {name: pick(t, found, select) for name, (t, found) in rows.items()}
    if with_combination:
        gained = [
            (technique, picks[name].value, picks[name].select_score)
            for name, (technique, _) in rows.items()
            if technique.combines and picks[name].select_score > picks[tech.BASELINE].select_score
        ]
        united, parts = tech.combination(gained, always or {}, params)
        if united is not None:
            found = runner.run([Trial(united.name, c, united.arguments(c)) for c in united.values], "combination")
            rows[united.name] = (united, found)
            picks[united.name] = pick(united, found, select)._replace(parts=parts)
        runner.expect(0)
    return _conclude(
        splits,
        rows,
        picks,
        Scorer(apply_fn, splits, preprocessor, "test"),  # made only now: nothing before could have used it
        apply_fn=apply_fn,
        preprocessor=preprocessor,
        seeds=seeds,
        select=select,
        started=started,
        settings=settings_of(spec, setting, train, splits, learning_rate, label_noise, base_seed)
        | {"task": described_task(data, splits, task)},
    )


def _conclude(
    splits: Splits,
    rows: Mapping[str, tuple[tech.Technique, list[Outcome]]],
    picks: Mapping[str, Pick],
    scorer: Scorer,
    *,
    apply_fn: Callable[..., Any],
    preprocessor: Preprocessor,
    seeds: int,
    select: str,
    started: float,
    settings: dict[str, Any],
) -> CompareResult:
    """Evaluate each chosen setting on test, once, and put everything together."""
    on_train = chance_of(splits, preprocessor, splits.y_train)
    mse_unit = 1.0 if preprocessor.y_scale is None else float(np.mean(np.square(preprocessor.y_scale)))
    results: dict[str, TechniqueResult] = {}
    tests: dict[str, list[Evaluation]] = {}
    kept = Trained(apply_fn, preprocessor, {})
    for name, (technique, outcomes) in rows.items():
        outcome = outcomes[picks[name].position]
        tests[name] = [scorer(result.weights, diverged(result)) for result in outcome.results]
        kept.weights[name] = tuple(result.weights for result in outcome.results)
        grid = tuple(
            GridPoint(
                o.trial.value,
                spread_of([e.score for e in o.select]),
                _mean([e.loss for e in o.select]),
                o.diverged,
            )
            for o in outcomes
        )
        results[name] = summarize_row(
            technique,
            picks[name].entry(),
            grid,
            outcome.results,
            tests[name],
            splits.task,
            chance=on_train,
            mse_unit=mse_unit,
            diverged=outcome.diverged,
            lanes=len(outcomes) * seeds,
            seconds=sum(o.seconds for o in outcomes),
        )
    plain = results.pop(tech.BASELINE)
    others = paired_statistics(results, tests, tests[tech.BASELINE], splits.task)
    return CompareResult(
        dataset=splits.name,
        task=splits.task,
        metric=SCORE[splits.task],
        seeds=seeds,
        select=select,
        settings=settings,
        baseline=plain,
        techniques=others,
        diagnosis=diagnose_all(rows[tech.BASELINE][1][0].results, on_train.loss, settings["stop_examples"]),
        chance={"score": scorer.chance.score, "loss": scorer.chance.loss},
        seconds=time.perf_counter() - started,
        versions={name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax", "optax", "numpy")},
        trained=kept,
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
