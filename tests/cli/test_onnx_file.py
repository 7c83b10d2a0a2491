"""The ONNX files of `regjax export --onnx`; needs the extra `onnx`."""

import hashlib
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax import data
from regjax.cli import onnx_file
from regjax.cli.flags import FlagError
from regjax.cli.onnx_file import without_platforms
from regjax.models.interface import as_model
from regjax.models.registry import MODELS, make_model
from regjax.training.evaluate import predict
from tests.cli.shared import read_csv


def branches(x):
    return jax.lax.platform_dependent(x, cpu=lambda x: jnp.zeros(4), default=lambda x: jnp.pad(x, 1) + 1)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, lambda f: lambda x: jax.nn.relu(jax.jit(f)(f(x)[1:3]))])
def test_the_default_branch_stands_for_every_platform(wrap):
    x = jnp.array([1.0, -2.0])
    made = without_platforms(wrap(branches))
    np.testing.assert_array_equal(made(x), wrap(lambda x: jnp.pad(x, 1) + 1)(x))
    assert "platform_index" not in str(jax.make_jaxpr(made)(x))


def test_the_form_of_the_outputs_stays():
    made = without_platforms(lambda x: {"a": (x, branches(x))})(jnp.zeros(2))
    assert jax.tree.map(jnp.shape, made) == {"a": ((2,), (4,))}


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"jax2onnx, onnxruntime are needed.*regjax\[onnx\]"):
        onnx_file.onnx_of(lambda x: x, np.zeros((2, 3), np.float32))


class Session:
    """One whose outputs are given."""

    def __init__(self, outputs):
        self.outputs = np.array(outputs, np.float32)

    def run(self, names, inputs):
        return [self.outputs]


@pytest.mark.parametrize(
    ("expected", "found", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.25),
        ([np.nan, 2.0], [np.nan, 2.0], 0.0),
        ([np.nan, 2.0], [1.0, 2.0], np.inf),
        ([np.inf, 2.0], [np.inf, 1.0], 0.5),  # the largest output is that of finite ones
        ([np.inf, 2.0], [-np.inf, 2.0], np.inf),
        ([1.0, 2.0], [1.0, np.nan], np.nan),
        ([np.inf, np.nan], [np.inf, np.nan], np.inf),  # nothing was compared
        ([1.0, 2.0], [[1.0], [2.0]], np.inf),
    ],
)
def test_a_difference_is_relative_to_the_largest_finite_output(expected, found, difference):
    compared = onnx_file._difference(Session(found), lambda x: np.array(expected, np.float32), np.zeros((2, 1)))
    np.testing.assert_allclose(compared, difference, rtol=1e-6)


class TestWithTheExtra:
    @pytest.fixture(autouse=True)
    def packages(self):
        pytest.importorskip("jax2onnx")
        pytest.importorskip("onnxruntime")

    def test_any_number_of_examples(self):
        import onnxruntime

        x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
        x[2, 1] = np.nan
        kernel = jnp.arange(6.0).reshape(3, 2)

        def softmax(x):
            return jax.nn.softmax(jnp.nan_to_num(x) @ kernel)

        content, difference = onnx_file.onnx_of(softmax, x)
        assert difference < 1e-6
        session = onnxruntime.InferenceSession(content)
        for n in (1, 6):
            (found,) = session.run(["outputs"], {"inputs": x[:n]})
            np.testing.assert_allclose(found, softmax(x[:n]), rtol=1e-5)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", MODELS)
    def test_every_model_is_converted(self, name):
        x = np.random.default_rng(0).uniform(size=(4, 16, 16, 3)).astype(np.float32)
        model = as_model(make_model(name, num_outputs=3))
        variables = model.init(jax.random.key(0), jnp.asarray(x))
        _, difference = onnx_file.onnx_of(lambda x: jax.nn.softmax(predict(model.apply, *variables, x)), x)
        assert difference < 1e-5

    def test_what_differs_is_refused(self, monkeypatch):
        monkeypatch.setattr(onnx_file, "TOLERANCE", -1.0)
        with pytest.raises(FlagError, match="ONNX Runtime differs from JAX"):
            onnx_file.onnx_of(lambda x: x * 2, np.ones((2, 3), np.float32))

    def test_what_cannot_be_converted_is_said(self):
        def callback(x):
            return jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct((2, 3), np.float32), x)

        with pytest.raises(FlagError, match="cannot be converted: "):
            onnx_file.onnx_of(callback, np.ones((2, 3), np.float32))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("dataset", "flags"),
        [
            ("digits", ("--model=cnn", "--widths=4", "--train_examples=64")),
            ("diabetes", ("--loss=poisson",)),
            ("shop.csv", ()),
        ],
    )
    def test_onnx_runtime_gives_the_numbers_of_predict(self, run, tmp_path, dataset, flags):
        import onnxruntime

        rows = [f"{i % 7 if i % 5 else ''},{'Rome' if i % 3 else 'Oslo'},{'yes' if i % 2 else 'no'}" for i in range(60)]
        (tmp_path / "shop.csv").write_text("\n".join(["size,city,target", *rows]))
        run("train", f"--dataset={dataset}", "--epochs=2", "--workdir=w", *flags)
        run("export", "--workdir=w", "--output=e", "--onnx")
        run("predict", "--workdir=w", "--input=test", "--output=p.csv")
        splits = data.split(data.load(dataset if dataset != "shop.csv" else tmp_path / dataset))
        session = onnxruntime.InferenceSession(tmp_path / "e/model.onnx")
        (found,) = session.run(None, {session.get_inputs()[0].name: splits.x_test})
        manifest = json.loads((tmp_path / "e/manifest.json").read_text())
        names = [f"probability_{name}" for name in manifest["class_names"] or ()] or ["prediction"]
        expected = [[float(row[name]) for name in names] for row in read_csv(tmp_path / "p.csv")]
        np.testing.assert_allclose(found.reshape(len(expected), -1), expected, rtol=1e-3, atol=1e-5)
        content = (tmp_path / "e/model.onnx").read_bytes()
        assert manifest["sha256"]["model.onnx"] == hashlib.sha256(content).hexdigest()
        run("export", "--workdir=w", "--output=e", "--overwrite")
        assert not (tmp_path / "e/model.onnx").exists()
