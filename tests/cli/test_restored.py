import json

import jax
import numpy as np
import pytest

from regjax.cli.flags import FlagError
from regjax.cli.restored import restore, up_to_date
from regjax.training.weights_file import write_weights


def test_runs_of_an_earlier_version_cut_the_data_by_their_seed():
    assert up_to_date({"seed": 7})["split_seed"] == 7
    assert up_to_date({"seed": 7, "split_seed": 0})["split_seed"] == 0


@pytest.mark.slow
def test_the_weights_are_those_of_the_checkpoint_or_of_a_file(run, tmp_path):
    run("train", "--dataset=wine", "--epochs=2", "--widths=4", "--workdir=w")
    model = restore(tmp_path / "w")
    assert model.options.epochs == 2
    assert model.preprocessor.shape == (13,)
    assert jax.tree.leaves(model.weights.params)[0].shape == (4,)
    (tmp_path / "file").mkdir()
    for name in ("config.json", "preprocess.json"):
        (tmp_path / "file" / name).write_text((tmp_path / "w" / name).read_text())
    write_weights(model.weights, tmp_path / "file/weights.npz")
    jax.tree.map(np.testing.assert_array_equal, restore(tmp_path / "file").weights, model.weights)


def test_a_config_that_is_no_training_is_refused(tmp_path):
    (tmp_path / "preprocess.json").write_text("{}")
    (tmp_path / "config.json").write_text(json.dumps({"experiment": "train", "flags": {}}))
    with pytest.raises((FlagError, ValueError), match=r"not usable|not that of a training"):
        restore(tmp_path)
