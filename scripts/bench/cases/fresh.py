"""Programs that `cases.starts` runs in fresh processes: `python -m cases.fresh NAME ARGUMENT`.

Each prints one line of JSON when its work is done: its own time where the start of the process does not count, and a
quality.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from typing import Any


def regjax_epoch(cache: str) -> dict[str, Any]:
    """One epoch on digits, the dataset read and split by regjax; `cache` keeps compiled programs, if any."""
    spec, hparams, arrays = _regjax_digits(cache, (128, 128), epochs=1)
    import jax

    import regjax as rj

    state = rj.fit(spec, hparams, jax.random.key(0), arrays).state
    return {"quality": float(state.history.values["val/accuracy"][0])}


def regjax_next_epoch(argument: str) -> dict[str, Any]:
    """The same with a larger net, from the checkpoints in a directory if there are any, until the next epoch is done.

    The argument is `CACHE|DIRECTORY|EPOCHS`; only the last epoch is saved.
    """
    cache, directory, epochs = argument.split("|")
    spec, hparams, arrays = _regjax_digits(cache, (1024, 1024), epochs=int(epochs))
    import jax

    import regjax as rj
    from regjax.training.checkpoint import Checkpoints

    class EndsEarly(rj.Callback):
        """Ends the process after the first epoch, if it is not the last one."""

        def on_epoch(self, event: Any) -> None:
            if event.epoch + 1 < spec.epochs:
                print(json.dumps({"quality": event.row["val/accuracy"]}), flush=True)
                os._exit(0)

    store = Checkpoints(directory)
    state = rj.fit(
        spec, hparams, jax.random.key(0), arrays, checkpoints=store, checkpoint_every=10**6, callbacks=[EndsEarly()]
    ).state
    return {"quality": float(state.history.values["val/accuracy"][-1])}


def _regjax_digits(cache: str, widths: tuple[int, ...], epochs: int) -> tuple[Any, Any, Any]:
    import jax

    if cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    import numpy as np

    import regjax as rj
    from regjax import data

    splits = data.split(data.load("digits"), seed=0)
    pre = data.Preprocessor.for_splits(splits)
    order = np.arange(len(splits.y_train), dtype=np.int32)
    x_train, x_stop = pre.transform(splits.x_train), pre.transform(splits.x_stop)
    arrays = jax.device_put(rj.TrainData(x_train, splits.y_train, order, x_stop, splits.y_stop))
    model = rj.models.make_model("mlp", num_outputs=10, widths=widths)
    spec = rj.Spec(model, num_classes=10, batch_size=64, steps_per_epoch=len(order) // 64, epochs=epochs)
    return spec, rj.make_hparams(n_train=len(order), rates={"dropout": 0.2}), arrays


def torch_epoch(argument: str) -> dict[str, Any]:
    """The same in PyTorch: `WIDTH|FILE|load` goes on from a file, `WIDTH|FILE|save` writes it, nothing does neither."""
    width, path, what = (argument or "128||").split("|")
    x, y, x_val, y_val = _digits()
    import torch
    from torch import nn

    x, y, x_val, y_val = (torch.tensor(part) for part in (x, y, x_val, y_val))
    n = int(width)
    layers = [nn.Linear(64, n), nn.ReLU(), nn.Dropout(0.2), nn.Linear(n, n), nn.ReLU(), nn.Dropout(0.2)]
    model = nn.Sequential(*layers, nn.Linear(n, 10))
    optimizer = torch.optim.Adam(model.parameters())
    if what == "load":
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    for rows in torch.randperm(len(x)).split(64)[: len(x) // 64]:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    model.eval()
    if what == "save":
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    return {"quality": float((model(x_val).argmax(1) == y_val).float().mean())}


def keras_epoch(_: str) -> dict[str, Any]:
    """The same with Keras on JAX."""
    x, y, x_val, y_val = _digits()
    import keras

    layers = [layer for _ in range(2) for layer in (keras.layers.Dense(128, "relu"), keras.layers.Dropout(0.2))]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    history = model.fit(x, y, batch_size=64, epochs=1, validation_data=(x_val, y_val), verbose=0)
    return {"quality": history.history["val_accuracy"][0]}


def regjax_load(argument: str) -> dict[str, Any]:
    """MNIST from the verified cache of regjax."""
    data_dir, cache = argument.split("|")
    started = time.perf_counter()
    from regjax import data

    imported = time.perf_counter()
    found = data.load("mnist", data_dir=data_dir, cache_dir=cache)
    return _loaded(found.x, started, imported)


def numpy_load(path: str) -> dict[str, Any]:
    """A raw .npy file, unverified."""
    started = time.perf_counter()
    import numpy as np

    imported = time.perf_counter()
    return _loaded(np.load(path), started, imported)


def numpy_verified(path: str) -> dict[str, Any]:
    """A raw .npy file and its SHA-256."""
    started = time.perf_counter()
    import numpy as np

    imported = time.perf_counter()
    array = np.load(path)
    hashlib.sha256(memoryview(array).cast("B")).hexdigest()
    return _loaded(array, started, imported)


def torch_load(path: str) -> dict[str, Any]:
    """A tensor file of PyTorch."""
    started = time.perf_counter()
    import torch

    imported = time.perf_counter()
    return _loaded(torch.load(path).numpy(), started, imported)


def tfds_load(data_dir: str) -> dict[str, Any]:
    """The records of the prepared set, decoded one by one."""
    started = time.perf_counter()
    import numpy as np
    import tensorflow_datasets as tfds

    imported = time.perf_counter()
    sources = [tfds.data_source("mnist", split=split, data_dir=data_dir) for split in ("train", "test")]
    images = [np.stack([source[i]["image"] for i in range(len(source))]) for source in sources]
    return _loaded(np.concatenate(images), started, imported)


def _loaded(array: Any, started: float, imported: float) -> dict[str, Any]:
    finished = time.perf_counter()
    found = {"seconds": finished - imported, "with_imports": finished - started}
    return found | {"quality": float(array[:1000].mean(dtype="float64"))}


def _digits() -> tuple[Any, Any, Any, Any]:
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x = ((digits.data - digits.data.mean()) / digits.data.std()).astype(np.float32)[order]
    y = digits.target[order]
    return x[:1077], y[:1077], x[1077:1257], y[1077:1257]


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](sys.argv[2])))
