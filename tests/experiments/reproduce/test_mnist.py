"""What the repetitions on MNIST share: the arrays, the runs."""

import jax
import numpy as np
import pytest

import regjax as rj
from experiments.reproduce import mnist
from experiments.reproduce.mnist import Cell
from experiments.reproduce.published import Publication, around

METHODS = {"plain": lambda _: {}, "L2": lambda s: {"penalties": {"loss": rj.l2(s)}}}


@pytest.mark.slow
def test_mnist_has_its_classes_and_brightness_from_0_to_1(prepared_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("REGJAX_CACHE", str(tmp_path))
    pool = mnist.images(prepared_dir)
    assert pool.x.shape == (60_000, 784)
    assert pool.x_test.shape == (10_000, 784)
    assert (pool.x.min(), pool.x.max()) == (0.0, 1.0)
    assert np.bincount(pool.y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(pool.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_held_out_examples_are_not_trained_on(small_images):
    part = mnist.held_out(small_images, 300)
    assert (len(part.y), len(part.y_test)) == (900, 300)
    together = np.concatenate([part.x, part.x_test])
    np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(small_images.x, axis=0))
    again = mnist.held_out(small_images, 300)
    np.testing.assert_array_equal(again.x_test, part.x_test)


def test_subsets_are_nested_and_labels_are_the_given_ones(small_images):
    data = mnist.train_data(small_images, 2)
    assert data.order.shape == data.y.shape == (2, 1200)
    assert set(np.asarray(data.order[0, :100]).tolist()) != set(np.asarray(data.order[1, :100]).tolist())
    counts = np.bincount(small_images.y[np.asarray(data.order[0, :100])], minlength=10)
    assert counts.min() >= 9
    assert counts.max() <= 11
    wrong = np.stack([(small_images.y + 1) % 10] * 2)
    np.testing.assert_array_equal(mnist.train_data(small_images, 2, wrong).y, wrong)


def test_a_run_is_that_of_its_spec_and_is_not_trained_again(small_images, tmp_path, capsys):
    cells = [Cell("plain", 0.0, 0.1, 200, 12, 0), Cell("L2", 0.5, 0.05, 200, 12, 1)]
    lanes = mnist.lanes(cells, METHODS, (8,), evaluations=2)
    data = mnist.train_data(small_images, 2)
    results, seconds = mnist.trained(cells, lanes, data, tmp_path / "store")
    shown = capsys.readouterr()
    assert shown.out == ""  # the record alone goes there
    assert shown.err.count("% error") == 2
    state = jax.jit(lanes[1].run)(lanes[1].hparams, lanes[1].key, data, 1)
    assert int(state.train.step) == 12
    expected = 100 - 100 * np.asarray(state.history.values["val/accuracy"], np.float64)
    np.testing.assert_allclose(mnist.errors(results[cells[1]]), expected, atol=1e-3)
    assert len(mnist.errors(results[cells[0]])) == 2
    saved = sorted((tmp_path / "store").iterdir())
    before = [path.stat().st_mtime_ns for path in saved]
    again, before_the_stop = mnist.trained(cells, lanes, data, tmp_path / "store")
    assert before_the_stop == pytest.approx(seconds)
    assert [mnist.errors(again[cell]) for cell in cells] == [mnist.errors(results[cell]) for cell in cells]
    assert [path.stat().st_mtime_ns for path in saved] == before


@pytest.mark.slow
def test_a_record_has_the_seconds_of_all_runs(prepared_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("REGJAX_CACHE", str(tmp_path))
    about = Publication("A", "doi:1", "%", "theirs.", "ours.", (around("images", 60_000, 0, "x"),))

    def run(pool):
        return {"images": float(len(pool.y))}, {"further": 1}, 1234.4

    made = mnist.record_of("name", about, run, prepared_dir)
    assert made["rows"][0]["repeated"]
    assert made["further"] == 1
    assert made["reproduce"]["seconds"] == 1234
