"""Export a trained model to files that other programs run, without this package.

  regjax export --workdir=runs/train --output=runs/exported

--output gets model.bin, the prediction as one deterministic function of raw inputs and weights (serialized by
jax.export), weights.safetensors, manifest.json (inputs, classes, versions, SHA-256 of the files) and run.py, which
predicts with jax, numpy and flatbuffers alone. The function takes any number of examples as the training data were
before standardization, and returns probabilities of the classes or labels, or numbers in the units of the target. Of a
table these are the inputs that the manifest names: a column of numbers, 1 for the level of a row, NaN for a missing
number.
--onnx also writes model.onnx, the same function for ONNX Runtime, if it computes there what it computes here; the
converter is in the extra `onnx`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.cli import app, flags, workdirs
from regjax.cli.winner import directory_of_run
from regjax.core.options import Options, switch, text

if TYPE_CHECKING:
    import numpy as np

    from regjax.data import Preprocessor

PLATFORMS = ("cpu", "cuda", "tpu")
FILES = ("model.bin", "weights.safetensors", "run.py", "model.onnx", "manifest.json")

SCRIPT = '''"""Predict: python run.py INPUTS.npy OUTPUTS.npy. It needs jax, numpy and flatbuffers alone."""
import json, pathlib, sys
import jax, numpy as np

here = pathlib.Path(__file__).parent
manifest = json.loads((here / "manifest.json").read_text())
content = (here / "weights.safetensors").read_bytes()
start = 8 + int.from_bytes(content[:8], "little")
header, types = json.loads(content[8:start]), {"F32": "<f4", "I32": "<i4", "BF16": "<u2", "U32": "<u4"}
arrays = {}
for name, entry in header.items():
    if name != "__metadata__":
        low, high = (start + offset for offset in entry["data_offsets"])
        arrays[name] = np.frombuffer(content[low:high], types[entry["dtype"]]).reshape(entry["shape"])
model = jax.export.deserialize(bytearray((here / "model.bin").read_bytes()))
inputs = np.load(sys.argv[1]).astype(manifest["dtype"], casting="same_kind")  # floats cannot stand for pixels of 8 bits
outputs = model.call([arrays[name] for name in manifest["weights"]], inputs)
np.save(sys.argv[2], np.asarray(outputs))
'''


@dataclasses.dataclass(frozen=True)
class Config(Options):
    """The options of the command."""

    workdir: str = text(
        "export", "runs/train", "directory of a run of train, or of a comparison, whose winner is exported"
    )
    output: str | None = text("export", None, "the directory to write")
    onnx: bool = switch("export", False, "also write model.onnx; needs the extra onnx")
    overwrite: bool = switch("export", False, "replace the files in --output")


def main(config: Config) -> int:
    """Run the command; returns the exit code."""
    workdir = directory_of_run(Path(config.workdir).expanduser())
    flags.check(bool(config.output), "output", "is needed: the directory to write")
    output = Path(config.output or "").expanduser()
    flags.check(not output.is_file(), "output", "is a file; name a directory")
    there = sorted(path.name for path in output.iterdir()) if output.is_dir() else []
    foreign = [name for name in there if name not in FILES]
    flags.check(not foreign, "output", f"holds other files, such as {foreign[:1]}; name another directory")
    flags.check(config.overwrite or not there, "output", "holds an exported model; use --overwrite to replace it")

    import jax
    import numpy as np
    from safetensors.numpy import save_file

    from regjax.cli.restored import restore
    from regjax.training.weights_file import named_arrays

    model = restore(workdir)
    pre, function = model.preprocessor, _function(model)
    arrays = named_arrays(model.weights)
    flags.check(
        all(a.dtype in (np.float32, np.int32, np.uint32) for a in arrays.values()), "workdir", "has other dtypes"
    )
    symbols = jax.export.symbolic_shape("n")
    example: Any = jax.ShapeDtypeStruct((*symbols, *pre.shape), np.dtype(pre.dtype))
    shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays.values()]
    exported = jax.export.export(jax.jit(function), platforms=PLATFORMS)(shapes, example)

    onnx = None
    if config.onnx:  # before anything is written, because not every model can be converted
        from regjax.cli.onnx_file import onnx_of

        leaves = list(map(jax.numpy.asarray, arrays.values()))
        onnx, difference = onnx_of(lambda x: function(leaves, x), _examples(pre))
        print(f"model.onnx: ONNX Runtime differs from JAX by {difference:.1g} of the largest output at most")

    output.mkdir(parents=True, exist_ok=True)
    (output / "model.onnx").unlink(missing_ok=True)  # of an earlier model
    if onnx is not None:
        (output / "model.onnx").write_bytes(onnx)
    (output / "model.bin").write_bytes(exported.serialize())
    save_file(arrays, output / "weights.safetensors")
    (output / "run.py").write_text(SCRIPT)
    written = [name for name in FILES[:-1] if (output / name).exists()]
    manifest = {
        "dataset": pre.name,
        "task": pre.task,
        "shape": list(pre.shape),
        "dtype": pre.dtype,
        "inputs": None if pre.columns is None else list(pre.columns),
        "table": None if pre.schema is None else pre.schema.to_json(),
        "targets": None if pre.target_names is None else list(pre.target_names),
        "class_names": None if pre.class_names is None else list(pre.class_names),
        "outputs": {
            "classification": "probabilities of the classes",
            "multilabel": "a probability of each label",
            "regression": "numbers, in units of the target",
        }[pre.task],
        "weights": list(arrays),
        "platforms": list(PLATFORMS),
        "versions": {"regjax": app.version(), "jax": jax.__version__},
        "sha256": {name: hashlib.sha256((output / name).read_bytes()).hexdigest() for name in written},
    }
    workdirs.write_json(output / "manifest.json", manifest)
    print(f"{len(arrays)} arrays, {sum(a.size for a in arrays.values())} weights: {output}")
    print(f"try it: python {output}/run.py INPUTS.npy OUTPUTS.npy")
    return app.DONE


def _examples(pre: Preprocessor) -> np.ndarray:
    """Draw inputs that are spread like those of training, with missing numbers where the model takes them."""
    import numpy as np

    rng, of_training = np.random.default_rng(0), pre.standardization
    x = rng.normal(size=(64, *pre.shape))
    if of_training is not None and of_training.mean is not None:
        x = x * of_training.scale + of_training.mean
        if of_training.fill is not None:
            x[rng.uniform(size=x.shape) < 0.1] = np.nan
    return x.round().clip(0, 255).astype(np.uint8) if pre.dtype == "uint8" else x.astype(pre.dtype)


def _function(model: Any) -> Any:
    """Return the function `(weights, raw inputs) -> predictions`."""
    import jax

    from regjax.losses import probabilities
    from regjax.models.interface import as_model
    from regjax.training.evaluate import predict
    from regjax.training.state import Weights

    pre, structure = model.preprocessor, jax.tree.structure(model.weights)
    apply_fn = as_model(model.spec.model).apply

    def predicted(leaves: Any, x: Any) -> Any:
        weights: Weights = jax.tree.unflatten(structure, leaves)
        inputs = x if pre.standardization is None else pre.standardization.apply(x)
        outputs = predict(apply_fn, *weights, inputs, task=pre.task, link=pre.link)
        if pre.task != "regression":
            return probabilities(outputs, pre.task)
        if pre.link == "log":
            return jax.numpy.exp(outputs)
        return outputs if pre.y_mean is None else outputs * pre.y_scale + pre.y_mean

    return predicted
