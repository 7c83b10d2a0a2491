"""Trains on eight virtual CPU devices, and on one of them, and prints what came out as JSON.

Run by test_virtual.py: the number of devices has to be known before JAX starts.
"""

import dataclasses
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

import regjax as rj
from regjax.analysis.weights import params_sha256
from regjax.core.mesh import on_mesh


def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(96, 6, 6, 1)).astype(np.float32)
    y = rng.integers(0, 3, 96).astype(np.int32)
    order = np.arange(64, dtype=np.int32)
    return rj.TrainData(*map(jnp.asarray, (x[:64], y[:64], order, x[64:], y[64:])))


def spec_of(name, **kwargs):
    model = rj.models.make_model(name, num_outputs=3, **kwargs)
    return rj.Spec(model, num_classes=3, batch_size=32, steps_per_epoch=2, epochs=3)


def hparams(i=0, **others):
    stopping = rj.EarlyStopping(patience=i % 3, min_delta=0.01)
    numbers = {"n_train": 64, "learning_rate": 0.01 * (1 + i), "rates": {"dropout": 0.3}, "stopping": stopping}
    return rj.make_hparams(**numbers | others)


def apart(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(np.max(np.abs(np.float32(a) - np.float32(b)))) for a, b in pairs)


def split_batches():
    """The largest distance of weights from those of one device, by model and number of devices."""
    found, data = {}, problem()
    numbers = hparams(2, augment=1.0, mixup=0.2, penalties={"loss": rj.l2(0.01)}, average=rj.ema(0.9))
    models = {
        "mlp": ({"widths": (16,)}, (2, 4, 8)),
        "cnn": ({"widths": (4, 4), "dense": 8}, (4,)),
        "resnet": ({"widths": (8,), "blocks": 1}, (2,)),
    }
    for name, (kwargs, counts) in models.items():
        spec = dataclasses.replace(spec_of(name, **kwargs), augmentation=rj.augment.make("noise=0.2"))
        alone = rj.fit(spec, numbers, jax.random.key(0), data)
        for count in counts:
            split = dataclasses.replace(spec, mesh=rj.make_mesh(1, count))
            fitted = rj.fit(split, numbers, jax.random.key(0), data)
            found[f"{name} {count}"] = apart(fitted.weights, alone.weights)
    return found


def lowered():
    """Whether a split batch is worked on in parts: each device holds a share of the examples."""
    mesh, data = rj.make_mesh(1, 4), problem()
    spec = dataclasses.replace(spec_of("mlp", widths=(16,)), mesh=mesh)
    arguments = on_mesh((hparams(2), jax.random.key(0), data), mesh)
    text = jax.jit(rj.make_run(spec)).lower(*arguments).compile().as_text()
    return {"all_reduce": "all-reduce" in text, "whole_batch": "f32[32,16]" in text, "part": "f32[8,16]" in text}


def swept_lanes():
    """Sweeps on 1, 2, 4, 8 devices and on grids: bitwise where mapped, distance from that else."""
    data = problem()
    run = rj.make_run(spec_of("linear"))  # without noise: it would take longest to compile, eight times
    lanes = [rj.Lane(run, hparams(i, rates={}), jax.random.key(i)) for i in range(6)]
    one = rj.run_lanes(lanes, data, mesh=rj.make_mesh(1, 1))
    alone = [params_sha256(jax.jit(run.result)(lane.hparams, lane.key, data).weights.params) for lane in lanes]
    found = {"alone": alone, "mapped": {}, "vmapped": {}, "grid": {}}
    alone_weights = [result.weights for result in one]

    def distance(results):
        assert [int(result.epochs) for result in results] == [int(result.epochs) for result in one]
        return apart([result.weights for result in results], alone_weights)

    for count in (1, 2, 4, 8):
        mesh = rj.make_mesh(count, 1)
        mapped = rj.run_lanes(lanes, data, mesh=mesh)
        found["mapped"][count] = [params_sha256(result.weights.params) for result in mapped]
    for compact in (True, False):
        options = {"layout": "vmap", "chunk": 3, "compact": compact}
        vmapped = rj.run_lanes(lanes, data, mesh=rj.make_mesh(2, 1), **options)
        found["vmapped"][f"compact={compact}"] = distance(vmapped)
    grid = rj.make_mesh(2, 4)
    found["grid"]["map"] = distance(rj.run_lanes(lanes, data, mesh=grid))
    found["grid"]["vmap"] = distance(rj.run_lanes(lanes, data, mesh=grid, layout="vmap", chunk=3, compact=False))
    found["default"] = [params_sha256(result.weights.params) for result in rj.run_lanes(lanes, data)]
    return found


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 8)
    print(json.dumps(globals()[sys.argv[1]]()))
