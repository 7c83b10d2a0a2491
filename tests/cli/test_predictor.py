import jax
import numpy as np
import pytest

from regjax.cli.predictor import predictor
from regjax.cli.restored import restore


@pytest.mark.slow
def test_outputs_do_not_depend_on_where_the_examples_are_cut(run, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x, y=(x[:, 0] > 0).astype(int))
    run("train", "--dataset=d.npz", "--epochs=1", "--model=linear", "--workdir=w")
    model = restore(tmp_path / "w").model
    outputs_of = predictor(model, 16)
    whole, unsure = outputs_of(x, 0)
    assert unsure == {}
    np.testing.assert_array_equal(np.concatenate([outputs_of(x[:32], 0)[0], outputs_of(x[32:], 32)[0]]), whole)
    kernel, bias = sorted(jax.tree.leaves(model.weights.params), key=np.ndim, reverse=True)
    expected = model.preprocessor.transform(x) @ np.asarray(kernel) + np.asarray(bias)
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="examples of shape"):
        outputs_of(x[:, :2], 0)
