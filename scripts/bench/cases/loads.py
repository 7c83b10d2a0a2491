"""Loading: MNIST from the cache in a fresh process, a table of text, a folder of photos."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases.base import Case, Contender, Context, Measured, Round, timed
from cases.starts import fresh

COLUMNS, SIDE = 30, 64


def prepare_mnist(context: Context) -> dict[str, Any]:
    """Decodes MNIST into the cache of regjax, and writes the files of the peers."""
    import numpy as np

    from regjax import data

    found = data.load("mnist", data_dir=context.data_dir, cache_dir=os.path.join(context.scratch, "cache"))
    np.save(os.path.join(context.scratch, "x.npy"), found.x)
    try:
        import torch
    except ImportError:
        return {}
    torch.save(torch.tensor(found.x), os.path.join(context.scratch, "x.pt"))
    return {}


def load(name: str, argument: str) -> Any:
    """The set-up of a contender that loads; `{scratch}` and `{data_dir}` in its argument are filled in."""

    def setup(context: Context) -> Round:
        filled = argument.format(scratch=context.scratch, data_dir=context.data_dir)

        def one_round() -> Measured:
            _, answer = fresh(name, filled)
            values = {"load": 1e3 * answer["seconds"], "with imports": 1e3 * answer["with_imports"]}
            return Measured(values, answer["quality"])

        return one_round

    return setup


def prepare_table(context: Context) -> dict[str, Any]:
    """Writes a table of numbers, with a class as its last column."""
    import numpy as np

    rng = np.random.default_rng(0)
    rows = context.size(100_000, 200)
    cells = np.column_stack([rng.standard_normal((rows, COLUMNS)), rng.integers(2, size=rows)])
    header = ",".join([*(f"x{i}" for i in range(COLUMNS)), "target"])
    np.savetxt(_table(context), cells, fmt=["%.7g"] * COLUMNS + ["%d"], delimiter=",", header=header, comments="")
    return {}


def _table(context: Context) -> str:
    return os.path.join(context.scratch, "table.csv")


def _reading(read: Callable[[], Any]) -> Round:
    """The round of a function that reads an array, in ms; the quality is the mean of its first column."""

    def one_round() -> Measured:
        taken, array = timed(read)
        return Measured({"load": 1e3 * taken}, float(array[:, 0].mean(dtype="float64")))

    return one_round


def table_by_ours(context: Context) -> Round:
    """Reading, and all that it checks: columns that are no features, leaks, repeated rows, quotes, encodings."""
    from regjax import data

    return _reading(lambda: data.load(_table(context)).x)


def table_by_pandas(context: Context, engine: str) -> Round:
    """`pandas.read_csv`, and the array that a model takes; nothing is checked."""
    import pandas

    return _reading(lambda: pandas.read_csv(_table(context), engine=engine).to_numpy("float32"))


def prepare_photos(context: Context) -> dict[str, Any]:
    """Writes photos of 320 x 240 in two class folders: smooth colours, which are stored as JPEG as photos are."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(context.size(2000, 20)):
        folder = Path(_photos(context), ("cat", "dog")[i % 2])
        folder.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(256, size=(12, 16, 3), dtype=np.uint8))
        coarse.resize((320, 240), Image.Resampling.BICUBIC).save(folder / f"{i}.jpg", quality=90)
    return {}


def _photos(context: Context) -> str:
    return os.path.join(context.scratch, "photos")


def photos_by_ours(context: Context) -> Round:
    """Reading without a cache of decoded images, and all that it checks: headers, repeated and similar images."""
    from regjax import data

    def read() -> Any:
        with tempfile.TemporaryDirectory(dir=context.scratch) as cache:
            return data.load(_photos(context), image_size=SIDE, cache_dir=cache).x

    return _reading(read)


def photos_by_torchvision(context: Context) -> Round:
    """`ImageFolder` and a `DataLoader` with two processes."""
    import torch
    from torchvision import datasets, transforms

    change = transforms.Compose([transforms.Resize(SIDE), transforms.CenterCrop(SIDE), transforms.PILToTensor()])
    images = datasets.ImageFolder(_photos(context), change)
    loader = torch.utils.data.DataLoader(images, batch_size=64, num_workers=2)
    return _reading(lambda: torch.cat([x for x, _ in loader]).permute(0, 2, 3, 1).numpy())


CASES = {
    "loading": Case(
        name="loading",
        summary="MNIST into memory in a fresh process, the second time; needs --data_dir",
        unit="ms",
        quality="mean pixel",
        rounds=5,
        headline="load",
        needs_data_dir=True,
        prepare=prepare_mnist,
        contenders={
            "ours": Contender(load("regjax_load", "{data_dir}|{scratch}/cache"), warmups=0),
            "numpy.load (unverified)": Contender(load("numpy_load", "{scratch}/x.npy")),
            "numpy.load and SHA-256": Contender(load("numpy_verified", "{scratch}/x.npy")),
            "torch.load (unverified)": Contender(load("torch_load", "{scratch}/x.pt"), ("torch",)),
            "tfds (decodes)": Contender(load("tfds_load", "{data_dir}"), warmups=0, rounds=1),
        },
    ),
    "load_csv": Case(
        name="load_csv",
        summary=f"a table of 100,000 rows and {COLUMNS + 1} columns from CSV into an array",
        unit="ms",
        quality="mean of a column",
        prepare=prepare_table,
        contenders={
            "ours": Contender(table_by_ours),
            "pandas (unverified)": Contender(lambda context: table_by_pandas(context, "c"), ("pandas",)),
            "pandas with Arrow (unverified)": Contender(
                lambda context: table_by_pandas(context, "pyarrow"), ("pandas",)
            ),
        },
    ),
    "load_images": Case(
        name="load_images",
        summary=f"2,000 photos of 320x240 in class folders, decoded and brought to {SIDE}x{SIDE}",
        unit="ms",
        quality="mean pixel of the top row",
        rounds=5,
        prepare=prepare_photos,
        contenders={
            "ours": Contender(photos_by_ours),
            "torchvision": Contender(photos_by_torchvision, ("torch", "torchvision")),
        },
    ),
}
