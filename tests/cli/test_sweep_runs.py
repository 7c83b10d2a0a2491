import dataclasses
import json

import numpy as np
import pytest

import regjax as rj
from regjax.cli import setup
from regjax.cli.flags import FlagError
from regjax.cli.sweep import Config
from regjax.cli.sweep_runs import FoldRuns, SeedRuns
from regjax.core.rng import run_key
from regjax.data import Dataset, Preprocessor, split
from tests.cli.shared import read_csv

CONFIG = Config(sweep=("l2=1",), batch_size=16)


def loaded_of(task="classification", **parts):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(103, 3)).astype(np.float32) * 5 + 2
    y = rng.integers(0, 2, 103).astype(np.int32) if task == "classification" else (40 * x[:, 0]).astype(np.float32)
    dataset = Dataset("table", task, x, y, **parts)
    splits = split(dataset, seed=1)
    return setup.Loaded(dataset, splits, Preprocessor.for_splits(splits))


def test_runs_on_a_validation_set_share_it():
    loaded = loaded_of()
    made = SeedRuns(CONFIG, loaded, [3, 4])
    assert [run.columns for run in made.runs] == [{"seed": 3}, {"seed": 4}]
    assert made.examples == [21, 21]
    assert made.arrays.val_rows is None
    assert made.facts_of(made.runs[1]) == setup.Facts.of(loaded.splits)
    assert made.cross_validation is None


def test_folds_hold_all_examples_but_those_of_the_test_set():
    loaded = loaded_of()
    made = FoldRuns(CONFIG, loaded, [3, 4], 5)
    assert made.cross_validation == (5, 2, pytest.approx(1 / 4, rel=0.05), 82, "random")
    assert [run.columns for run in made.runs] == [{"seed": s, "fold": k} for s in (3, 4) for k in range(5)]
    x, rows = np.asarray(made.arrays.x), np.asarray(made.arrays.val_rows)
    assert len(x) == 82
    assert not {tuple(row) for row in x} & {tuple(row) for row in loaded.splits.x_test}
    for first in (0, 5):  # each repetition validates every example once
        assert sorted(row for row in rows[first : first + 5].ravel() if row >= 0) == list(range(82))
    for run, size in zip(made.runs, made.examples, strict=True):
        trained = made.facts_of(run).pool
        assert trained + size == 82
        own = np.asarray(made.arrays.order)[run.row, :trained]
        assert sorted([*own, *(row for row in rows[run.row] if row >= 0)]) == list(range(82))
        np.testing.assert_array_equal(run.y_val, np.asarray(made.arrays.y)[run.row, rows[run.row, :size]])
        assert list(made.facts_of(run).class_counts) == np.bincount(np.asarray(made.arrays.y)[run.row, own]).tolist()


@pytest.mark.parametrize("train_examples", [None, 30])
def test_a_preprocessor_knows_the_examples_alone_on_which_its_run_trains(train_examples):
    made = FoldRuns(CONFIG, loaded_of("regression"), [0], 4)
    x, y = np.asarray(made.arrays.x), np.asarray(made.arrays.y)
    for run in made.runs:
        trained = np.asarray(made.arrays.order)[run.row, : train_examples or made.facts_of(run).pool]
        own = made.preprocessor(run, train_examples)
        np.testing.assert_allclose(own.mean, x[trained].mean(axis=0), rtol=1e-5)
        assert own.y_mean == pytest.approx(y[run.row, trained].mean(), rel=1e-5)


def test_labels_are_wrong_in_the_training_part_alone():
    loaded = loaded_of()
    clean = FoldRuns(CONFIG, loaded, [0], 4)
    noisy = FoldRuns(dataclasses.replace(CONFIG, label_noise=0.5), loaded, [0], 4)
    for run in clean.runs:
        wrong = np.asarray(clean.arrays.y)[run.row] != np.asarray(noisy.arrays.y)[run.row]
        rows = np.asarray(clean.arrays.val_rows)[run.row]
        assert not wrong[rows[rows >= 0]].any()
        assert 0.3 < wrong.sum() / clean.facts_of(run).pool < 0.7


def test_groups_stay_whole_and_times_run_forward():
    groups = np.arange(103) // 4
    loaded = loaded_of(groups=groups)
    made = FoldRuns(CONFIG, loaded, [0], 3)
    parts = [loaded.splits.groups[part] for part in ("train", "stop", "select")]
    of_pool, rows = np.concatenate(parts), np.asarray(made.arrays.val_rows)
    assert made.cross_validation.order == "groups"
    for run in made.runs:
        inside, outside = np.asarray(made.arrays.order)[run.row, : made.facts_of(run).pool], rows[run.row]
        assert not set(of_pool[inside]) & set(of_pool[outside[outside >= 0]])
    in_time = FoldRuns(CONFIG, loaded_of(times=np.arange(103.0)), [0], 3)
    assert in_time.cross_validation.order == "time"
    x = np.asarray(in_time.arrays.x)
    position = {tuple(row): i for i, row in enumerate(loaded_of().dataset.x)}
    when = np.array([position[tuple(row)] for row in x])
    for run in in_time.runs:
        inside = np.asarray(in_time.arrays.order)[run.row, : in_time.facts_of(run).pool]
        outside = np.asarray(in_time.arrays.val_rows)[run.row]
        assert when[inside].max() < when[outside[outside >= 0]].min()


def test_what_cannot_be_cut_names_the_flag():
    with pytest.raises(FlagError, match=r"cv: .* too few for 90 folds"):
        FoldRuns(CONFIG, loaded_of(), [0], 90)


@pytest.mark.slow
def test_a_sweep_over_folds_trains_what_arrays_cut_by_hand_train(run, tmp_path):
    flags = ["--dataset=wine", "--model=linear", "--epochs=3", f"--workdir={tmp_path / 'w'}", "--norestore_best"]
    run("sweep", "--sweep=l2=0.01,1", "--cv=3", "--seeds=2", *flags)
    rows = read_csv(tmp_path / "w/lanes.csv")
    assert [(row["seed"], row["fold"]) for row in rows[:6]] == [(str(s), str(f)) for s in (0, 1) for f in range(3)]
    results = json.loads((tmp_path / "w/results.json").read_text())
    assert results["cross_validation"]["folds"] == 3
    assert [setting["runs"] for setting in results["settings"]] == [6, 6, 6]
    # The second fold of the first seed, as a run of its own.
    config = Config(dataset="wine", model="linear", epochs=3, l2=0.01, sweep=("l2=1",), restore_best=False)
    made = FoldRuns(config, setup.load(config, 0), [0, 1], 3)
    one = made.runs[1]
    own, arrays = made.preprocessor(one, None), made.arrays.for_seed(1)
    inside, outside = np.asarray(arrays.order)[: made.facts_of(one).pool], np.asarray(arrays.val_rows)
    x, y = own.transform(np.asarray(arrays.x)), np.asarray(arrays.y)
    outside = outside[outside >= 0]
    alone = rj.TrainData(*map(np.asarray, (x[inside], y[inside], np.arange(len(inside)), x[outside], y[outside])))
    spec = setup.make_spec(config, made.facts)
    hparams = setup.hparams_of(config, made.facts_of(one), restore_best=False, standardization=None)
    [found] = rj.run_lanes([rj.Lane(rj.make_run(spec), hparams, run_key(0), 0)], alone)
    assert float(rows[1]["val_loss"]) == pytest.approx(float(found.history.values["val/loss"][-1]), rel=1e-4)
    assert float(rows[1]["train_score"]) == pytest.approx(float(found.history.values["train/accuracy"][-1]), rel=1e-4)
