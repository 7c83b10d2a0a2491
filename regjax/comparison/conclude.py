"""Computes the result of a comparison: spreads over runs, paired statistics and the diagnosis."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from regjax.analysis import Predictions
from regjax.catalog import COMBINATION, LOSSES, METRICS
from regjax.comparison.choose import Row
from regjax.comparison.details import column_places, details_of
from regjax.comparison.importance import left_out, summarized
from regjax.comparison.improvements import paired_statistics
from regjax.comparison.layout import Layout
from regjax.comparison.learning_curve import learning_curve
from regjax.comparison.learning_rate import entry
from regjax.comparison.plan import Plan, Search
from regjax.comparison.ranking import rank, with_practical
from regjax.comparison.references import all_metrics, references_of
from regjax.comparison.result import CompareResult, Trained
from regjax.comparison.row import GridPoint, TechniqueResult
from regjax.comparison.row_curves import row_curves
from regjax.comparison.scoring import Chance, Evaluation, Scorer, chance_of
from regjax.comparison.summary import calibration_of, diagnose_all, in_unit, spread_of, summarize_row
from regjax.comparison.techniques import BASELINE
from regjax.core.typing import Json
from regjax.models.interface import as_model


class SplitResult(NamedTuple):
    """What was trained, chosen and tested on one split.

    Attributes:
      split_seed: seed of the split.
      seeds: seeds of its runs.
      rows: the rows by name, including the baseline.
      tests: the evaluations of each row on the test set, one per run.
      on_train: the metric of each row on its training examples, one per run.
      curve: the evaluations of the learning curve on the test set, by size.
      row_curves: those of the learning curves of all rows, by name and size; empty without.
      importance: by how much the score of each row falls if a column is permuted, see `importances`.
      chance: the scores of a constant guess on the test set.
      train_chance: the scores of a constant guess on the training set.
      references: the test metrics of models of another kind, see `references_of`.
      y_test: the test targets.
      test_rows: positions of the test examples in the dataset; None if it came with a test set of its own.
      test_groups: the group of each test example; None if the dataset has no groups, or came with a test set.
      stop_independent: see `Plan`.
      learning_rate: of all rows.
      search: the search for it; None if it was given.
      select_chance: the scores of a constant guess on the selection part.
    """

    split_seed: int
    seeds: range
    rows: Mapping[str, Row]
    tests: Mapping[str, Sequence[Evaluation]]
    on_train: Mapping[str, Sequence[float]]
    curve: Mapping[int, Sequence[Evaluation]]
    importance: Mapping[str, np.ndarray]
    chance: Chance
    train_chance: Chance
    references: Mapping[str, Mapping[str, float]]
    y_test: np.ndarray
    test_rows: np.ndarray | None
    test_groups: np.ndarray | None
    stop_independent: int
    learning_rate: float
    search: Search | None
    select_chance: Chance
    row_curves: Mapping[str, Mapping[int, Sequence[Evaluation]]] = {}

    @classmethod
    def of(
        cls,
        plan: Plan,
        rows: Mapping[str, Row],
        scorer: Scorer,
        tests: Mapping[str, Sequence[Evaluation]],
        on_train: Mapping[str, Sequence[float]],
        curve: Mapping[int, Sequence[Evaluation]],
        importance: Mapping[str, np.ndarray],
    ) -> SplitResult:
        """Keep of a split what the result needs, but not its training data."""
        splits, weights = plan.splits, plan.always.get("class_weights")
        return cls(
            split_seed=plan.options.split_seed + plan.number,
            seeds=plan.options.tested_seeds(plan.seeds),
            rows=rows,
            tests=tests,
            on_train=on_train,
            curve=curve,
            importance=importance,
            chance=scorer.chance,
            train_chance=chance_of(splits, plan.unit, splits.y_train, loss=plan.loss, class_weights=weights),
            references=references_of(plan),
            y_test=splits.y_test,
            test_rows=splits.indices.get("test"),
            test_groups=splits.groups.get("test"),
            stop_independent=plan.stop_independent,
            learning_rate=plan.options.learning_rate or plan.rates[0],
            search=plan.search,
            select_chance=chance_of(splits, plan.unit, splits.y_select, loss=plan.loss),
        )

    def row(self, name: str) -> Row:
        """Return a row; where a split has no combination, because too little helped, the technique that did."""
        return self.rows[self.stand_in(name)]

    def test(self, name: str) -> Sequence[Evaluation]:
        """Return the evaluations of `row`."""
        return self.tests[self.stand_in(name)]

    def trained_score(self, name: str) -> Sequence[float]:
        """Return the metric of `row` on its training examples."""
        return self.on_train[self.stand_in(name)]

    def stand_in(self, name: str) -> str:
        """Return the name of `row`."""
        if name in self.rows:
            return name
        parts = {n: row.pick.select_score for n, row in self.rows.items() if row.technique.combines or n == BASELINE}
        return max(parts, key=lambda n: parts[n])


def conclude(plan: Plan, parts: Sequence[SplitResult], started: float) -> CompareResult:
    """Build the result of a comparison from its trained and evaluated rows.

    Args:
      plan: the plan on the first split.
      parts: the results of all splits.
      started: the value of `time.perf_counter` when the comparison started.
    """
    names = list(parts[0].rows)
    names += [COMBINATION] * (COMBINATION not in names and any(COMBINATION in part.rows for part in parts))
    tests = {name: [run for part in parts for run in part.test(name)] for name in names}
    layout, predictions = _layout(plan, parts), _predictions(plan, parts, tests)
    results = {name: _row_of_table(plan, parts, name, tests[name], layout, predictions) for name in names}
    plain = results.pop(BASELINE)
    techniques = paired_statistics(results, tests, tests[BASELINE], layout)
    of_baseline = [result for part in parts for result in part.rows[BASELINE].chosen.results]
    n_train = min(plan.spec.eval_train_examples, plan.splits.independent("train"))
    n_val = [part.stop_independent for part in parts for _ in part.rows[BASELINE].chosen.results]
    chances = np.array([part.chance for part in parts]).mean(axis=0)
    return CompareResult(
        dataset=plan.splits.name,
        task=plan.splits.task,
        metric=plan.metric,
        seeds=plan.options.seeds,
        splits=len(parts),
        runs=tuple((part.split_seed, seed) for part in parts for seed in part.seeds),
        select=plan.options.select,
        settings=plan.settings()
        | _learning_rates(parts)
        | {
            "importance_left_out": left_out(plan, plan.rows_tested),
            "test_units": layout.tested([run.losses for run in tests[BASELINE]]),
        },
        baseline=plain,
        techniques=with_practical(techniques, tests, plan.options, layout),
        diagnosis=diagnose_all(of_baseline, parts[0].train_chance.loss, n_val, n_train),
        chance={
            "score": METRICS[plan.metric].sign * float(chances[0]),
            "loss": float(chances[1]),
            "select_loss": float(np.mean([part.select_chance.loss for part in parts])),
        },
        seconds=time.perf_counter() - started,
        versions={name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax", "optax", "numpy")},
        **rank(tests, layout)._asdict(),
        trained=Trained(
            as_model(plan.spec.model).apply,
            {n: tuple(own for part in parts for own in part.row(n).chosen.preprocessors) for n in names},
            {n: tuple(result.weights for part in parts for result in part.row(n).chosen.results) for n in names},
        ),
        predictions=predictions,
        metrics=_metrics(plan, predictions),
        references=_references(parts),
        details=details_of(plan, predictions, _in_detail(results, plain, plan.metric), layout),
        importance=_importance(plan, parts, names),
        row_curves=row_curves(
            {n: [part.row_curves[part.stand_in(n)] for part in parts] for n in names if _has_curve(parts, n)},
            {n: [part.test(n) for part in parts] for n in names},
            {row.name: row.title for row in (plain, *techniques.values())},
            plan,
            layout,
        ),
        learning_curve=learning_curve(
            {size: [run for part in parts for run in part.curve[size]] for size in parts[0].curve},
            plain,
            tests[BASELINE],
            plan,
            layout,
        ),
    )


def _learning_rates(parts: Sequence[SplitResult]) -> dict[str, Json]:
    """The learning rate that most splits have, of ties the higher one, and the searches for it."""
    count = Counter(part.learning_rate for part in parts)
    searches = [part.search for part in parts if part.search is not None]
    return {
        "learning_rate": max(count, key=lambda rate: (count[rate], rate)),
        "learning_rate_search": entry(searches) if searches else None,
    }


def _has_curve(parts: Sequence[SplitResult], name: str) -> bool:
    return all(part.stand_in(name) in part.row_curves for part in parts)


def _in_detail(results: Mapping[str, TechniqueResult], plain: TechniqueResult, metric: str) -> list[str]:
    """The names of the rows that are shown in detail: the baseline, and the best on validation."""
    scores = {row.name: row.chosen["select_score"] for row in (plain, *results.values())}
    best = max(scores, key=lambda name: METRICS[metric].sign * scores[name])
    return [plain.name] if best == plain.name else [plain.name, best]


def _importance(plan: Plan, parts: Sequence[SplitResult], names: Sequence[str]) -> dict[str, Json] | None:
    """The permutation importance of the columns for each row."""
    if not parts[0].importance:
        return None
    columns = list(column_places(plan.splits))
    return summarized(
        columns, {name: np.concatenate([part.importance[part.stand_in(name)] for part in parts]) for name in names}
    )


def _metrics(plan: Plan, predictions: Predictions) -> dict[str, dict[str, float]]:
    """The test metrics of each row, mean over runs."""
    of_rows = {
        name: [all_metrics(plan, run, y) for run, y in zip(outputs, predictions.y, strict=True)]
        for name, outputs in predictions.outputs.items()
    }
    return {name: _means(runs) for name, runs in of_rows.items()}


def _references(parts: Sequence[SplitResult]) -> dict[str, dict[str, float]]:
    """The test metrics of each reference, mean over splits."""
    return {name: _means([part.references[name] for part in parts]) for name in parts[0].references}


def _means(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {metric: float(np.mean([run[metric] for run in runs])) for metric in runs[0]}


def _layout(plan: Plan, parts: Sequence[SplitResult]) -> Layout:
    """Return which runs share a split and test examples, or where these belong together, the groups of these."""
    of_run = np.repeat(np.arange(len(parts)), [len(part.seeds) for part in parts])
    rows, population = [part.test_rows for part in parts for _ in part.seeds], plan.population
    if parts[0].test_groups is not None:
        rows = [part.test_groups for part in parts for _ in part.seeds]
        known_groups = None if plan.dataset is None else plan.dataset.groups
        population = len(np.unique(parts[0].test_groups if known_groups is None else known_groups))
    known = [row for row in rows if row is not None]
    return Layout(of_run, np.stack(known), population) if known else Layout(of_run, None)


def _predictions(plan: Plan, parts: Sequence[SplitResult], tests: Mapping[str, Sequence[Evaluation]]) -> Predictions:
    """Collect the predictions of all runs."""
    of_run = [part for part in parts for _ in part.seeds]
    rows = [part.test_rows for part in of_run if part.test_rows is not None]
    groups = [part.test_groups for part in of_run if part.test_groups is not None]
    return Predictions(
        task=plan.splits.task,
        seeds=np.array([seed for part in parts for seed in part.seeds], np.int64),
        y=np.stack([part.y_test for part in of_run]),
        rows=np.stack(rows).astype(np.int64) if rows else None,
        outputs={name: np.stack([run.outputs for run in runs]) for name, runs in tests.items()},
        groups=_numbered(np.stack(groups)) if groups else None,
    )


def _numbered(groups: np.ndarray) -> np.ndarray:
    """The numbers of groups from 0 on."""
    return np.unique(groups, return_inverse=True)[1].reshape(groups.shape).astype(np.int64)


def _row_of_table(
    plan: Plan,
    parts: Sequence[SplitResult],
    name: str,
    tests: Sequence[Evaluation],
    layout: Layout,
    predictions: Predictions,
) -> TechniqueResult:
    """Summarize one row over all splits, without its paired statistics."""
    own = [part.rows[name] for part in parts if name in part.rows]
    used = [part.row(name) for part in parts]
    whole, scale = plan.unit, plan.unit.y_scale
    results = [
        in_unit(result, preprocessor.loss_unit(whole, LOSSES[plan.loss.name].power))
        for row in used
        for result, preprocessor in zip(row.chosen.results, row.chosen.preprocessors, strict=True)
    ]
    flags = [row.technique.flags for row in used]
    summary = summarize_row(
        own[0].technique,
        _chosen(own, used, METRICS[plan.metric].sign),
        _grid(own, plan.metric),
        results,
        tests,
        layout,
        plan.splits.task,
        plan.metric,
        train=[value for part in parts for value in part.trained_score(name)],
        chance=parts[0].train_chance,
        mse_unit=None if plan.splits.targets else 1.0 if scale is None else float(np.mean(np.square(scale))),
        diverged=sum(row.chosen.diverged for row in used),
        lanes=sum((len(row.outcomes) + (row.fresh is not None)) * len(row.chosen.results) for row in own),
        seconds=sum(outcome.seconds for row in own for outcome in (*row.outcomes, *filter(None, [row.fresh]))),
        flags=[
            of_row(row.pick.value) | ({} if part.search is None else {"learning_rate": part.learning_rate})
            for part, row, of_row in zip(parts, used, flags, strict=True)
            if of_row is not None
            for _ in row.chosen.results
        ]
        if all(of_row is not None for of_row in flags)
        else None,
    )
    if plan.splits.task == "classification":
        return dataclasses.replace(summary, calibration=calibration_of(predictions.outputs[name], predictions.y))
    return summary


def _grid(rows: Sequence[Row], metric: str) -> tuple[GridPoint, ...]:
    """The scores of each setting on the selection parts of all splits."""
    points, sign = [], METRICS[metric].sign
    for outcomes in zip(*(row.outcomes for row in rows), strict=True):
        scores = [run for outcome in outcomes for run in outcome.select]
        points.append(
            GridPoint(
                outcomes[0].trial.value,
                spread_of([sign * run.score for run in scores], METRICS[metric].limits),
                float(np.mean([run.loss for run in scores])),
                sum(outcome.diverged for outcome in outcomes),
            )
        )
    return tuple(points)


def _chosen(own: Sequence[Row], used: Sequence[Row], sign: float) -> dict[str, Json]:
    """The entry `chosen` of a row: the setting of one split, or the most frequent one and those of all splits.

    Args:
      own: the row on the splits that have it.
      used: on all splits, where another row may stand in.
      sign: of the metric, by which the score of the choice becomes the metric again.
    """
    picks = [row.pick._replace(select_score=sign * row.pick.select_score) for row in own]
    if len(used) == 1:
        return picks[0].entry()
    count = Counter(pick.value for pick in picks)
    value = max(count, key=lambda v: (count[v], v))
    typical = next(pick for pick in picks if pick.value == value)
    # Over all splits: those without the row, where its stand-in did the work, may be the hard ones.
    score = float(np.mean([sign * row.pick.select_score for row in used]))
    entry = typical._replace(select_score=score, ties=sum(pick.ties for pick in picks)).entry()
    means = {
        outcome.trial.value: np.mean([[e.score for e in row.outcomes[i].select] for row in own])
        for i, outcome in enumerate(own[0].outcomes)
    }
    if means[value] < max(means.values()):
        entry["edge"] = None  # on average over splits the best is another value, inside the grid or at its other end
    entry["values"] = [row.pick.value if any(row is one for one in own) else None for row in used]
    if typical.parts is not None:
        times = Counter(part for pick in picks for part in pick.parts or [])
        entry["parts"] = [part for part, n in times.items() if 2 * n > len(picks)]
        entry["parts_by_split"] = [
            row.pick.parts if row.pick.parts is not None else [row.technique.name] for row in used
        ]
    return entry
