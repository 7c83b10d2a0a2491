import numpy as np
import pytest

from regjax.cli import held_out, setup
from regjax.cli.restored import restore

FLAGS = ("--dataset=d.npz", "--epochs=2", "--widths=8")


@pytest.mark.slow
def test_train_and_compare_keep_what_the_model_says(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3)).astype(np.float32)
    np.savez("d.npz", x=x, y=5 * x[:, 0] + rng.normal(size=100) + 50)
    run("train", *FLAGS, "--workdir=w")
    run("compare", *FLAGS, "--techniques=l2", "--grid=l2=0.001", "--seeds=2", "--learning_rate=0.01", "--workdir=c")
    for folder in (tmp_path / "w", tmp_path / "c/winner"):
        options, model = restore(folder).options, restore(folder).model
        held = held_out.read(folder, model)
        splits = setup.load(options, options.split_seed).splits
        _, y = setup.validation_part(splits)
        np.testing.assert_array_equal(held.targets, y)
        run("predict", f"--workdir={folder}", "--input=validation", "--output=p.csv", "--overwrite")
        predicted, target = np.loadtxt("p.csv", delimiter=",", skiprows=1, usecols=(1, 4)).T
        np.testing.assert_allclose(held.errors(model.preprocessor)[:, 0], np.abs(predicted - target), atol=1e-4)

    model = restore(tmp_path / "w").model
    other = model._replace(weights=restore(tmp_path / "c/winner").weights)
    assert held_out.read(tmp_path / "w", other) is None
    monkeypatch.setattr(held_out, "MAX_EXAMPLES", 7)
    held_out.write(tmp_path / "w", model, splits)
    rows = [0, 3, 6, 9, 12, 15, 19]
    np.testing.assert_array_equal(held_out.read(tmp_path / "w", model).targets, setup.validation_part(splits)[1][rows])
    file = tmp_path / "w" / held_out.FILE
    content = file.read_bytes()
    for damaged in (content[:100], b"", content.replace(b"targets", b"tergets")):
        file.write_bytes(damaged)
        assert held_out.read(tmp_path / "w", model) is None
