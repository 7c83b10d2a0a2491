"""Options that several commands share: the data, the model, the regularizers, the directory, the devices."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from regjax import catalog
from regjax.catalog import NUMBERS
from regjax.core.options import UNBOUNDED, Options, choice, number, sizes, switch, text, whole, widths
from regjax.training.options import SplitOptions, TrainingOptions


@dataclasses.dataclass(frozen=True)
class DataOptions(SplitOptions):
    """Options of the data."""

    dataset: str = text(
        "data",
        "digits",
        f"{', '.join(catalog.DATASETS)}; a TFDS name; "
        "or a path: a table (.csv, .tsv, .txt, also .gz, .parquet, .feather), .npz with x and y, x.npy beside y.npy, "
        "a folder of class folders of images",
    )
    data_dir: str | None = text(
        "data", None, "where prepared TFDS sets are; default $TFDS_DATA_DIR or ~/tensorflow_datasets", fixed=False
    )
    test_file: str | None = text("data", None, "a file or folder like --dataset whose examples are the test set")
    target: str | None = text(
        "data",
        None,
        "target column of a table, or several, as price,weight; default 'target'; or the .npy file of the targets",
    )
    image_size: tuple[int, ...] | None = sizes(
        "data",
        "HEIGHT,WIDTH or one number for both, for a folder of images; default: the usual size, up to 64 pixels",
    )
    image_fit: str = choice(
        "data", "crop", catalog.IMAGE_FITS, "images of another shape are scaled and cropped, or scaled and padded"
    )
    image_background: str = choice(
        "data", "white", catalog.IMAGE_BACKGROUNDS, "below transparent pixels, and around padded images"
    )
    allow_empty: bool = switch("data", False, "leave out classes whose folders have no images")
    ignore: str = text("tables", "", "columns to leave out, separated by commas")
    categorical: str = text("tables", "", "columns whose cells are levels, such as numbers that are codes")
    numeric: str = text("tables", "", "columns whose cells are numbers; other cells count as missing")
    dates: str = text("tables", "", "columns of dates to use, as year, month, weekday and days since 1970")
    group: str | None = text("tables", None, "column whose equal cells stay in one part, such as the patient")
    time: str | None = text("tables", None, "column of dates or numbers: later rows are the test")
    weight_column: str | None = text("tables", None, "column of how much each row counts in the loss of updates, >= 0")
    id_column: str | None = text("tables", None, "column that identifies examples; predictions carry it along")
    impute: str = choice("tables", "median", catalog.IMPUTE, "what becomes of missing cells")
    encoding: str = text("tables", "utf-8", "of a text file, such as latin1")
    separator: str | None = text("tables", None, "of the cells of a text file; default: it is found")


@dataclasses.dataclass(frozen=True)
class WorkdirOptions(Options):
    """Options of the directory for the results."""

    workdir: str = text("data", "runs", "where the results go", fixed=False)
    overwrite: bool = switch("data", False, "replace a run that is in --workdir", fixed=False)
    resume: bool = False  # only some commands have this option


@dataclasses.dataclass(frozen=True)
class ResumableOptions(WorkdirOptions):
    """Options of the directory for the results, and whether to resume."""

    resume: bool = switch(
        "run", False, "go on with the run in --workdir; what is finished is not repeated", fixed=False
    )


@dataclasses.dataclass(frozen=True)
class DeviceOptions(Options):
    """Options of devices and processes, which do not change the definition of a run."""

    cpu_devices: int | None = whole(
        "devices", None, "CPU devices of each process; default 1, which all cores share", fixed=False
    )
    distributed: bool = switch(
        "devices",
        False,
        "take part in a run of several processes, as Slurm, Kubernetes, TPU and MPI start them; all write to one "
        "--workdir",
        fixed=False,
    )
    coordinator: str | None = text(
        "devices", None, "HOST:PORT of process 0, where nothing starts them that JAX knows", fixed=False
    )
    num_processes: int | None = whole("devices", None, "how many there are, with --coordinator", fixed=False)
    process_id: int | None = whole("devices", None, "which one this is, from 0, with --coordinator", low=0, fixed=False)


@dataclasses.dataclass(frozen=True)
class SharedBatchOptions(DeviceOptions):
    """Options of devices for commands that can split each batch over several devices."""

    data_devices: int = whole("devices", 1, "devices that share each batch", fixed=False)


def _method(method: catalog.Method, group: str = "regularizers") -> float:
    return number(group, 0.0, method.help, high=min(method.high, UNBOUNDED), high_open=method.high_open)


if TYPE_CHECKING:

    class NoiseOptions(Options):
        """The strength of each noise of the catalogue."""

else:
    NoiseOptions = dataclasses.make_dataclass(
        "NoiseOptions",
        [(name, float, _method(noise, "noise in training")) for name, noise in catalog.NOISES.items()],
        bases=(Options,),
        frozen=True,
    )


@dataclasses.dataclass(frozen=True)
class RegularizerOptions(NoiseOptions):
    """Options of the regularizers, except early stopping."""

    l1: float = number(
        "regularizers", 0.0, "strength of L1: s * sum |w|; exact zeros only with --penalty_mode=proximal"
    )
    l2: float = number("regularizers", 0.0, "strength of L2: s * sum w^2; weight decay wd of torch is s = wd / 2")
    penalty: str = text(
        "regularizers",
        "",
        "a sum such as \"group_lasso(1e-3, axis=0) + 0.5 * mcp(1e-4, where='dense', mode='proximal')\"; penalties: "
        + ", ".join(catalog.PENALTIES),
    )
    penalty_mode: str = choice(
        "regularizers",
        "loss",
        catalog.PENALTY_MODES,
        "how --l1, --l2 and --penalty enter the training; a term of --penalty may name its own",
    )
    constraint: str = text(
        "regularizers", "", "holds after every update: max_norm(2), unit_norm(), non_negative() or box(-1, 1)"
    )
    average: str = text(
        "regularizers",
        "",
        "weights to evaluate and keep: ema(0.999), swa(start=100, every=10), lookahead(5, 0.5) or snapshots(size=5, "
        "period=100), which cycles the learning rate and keeps an ensemble; counted in updates",
    )
    sam: float = _method(NUMBERS["sam"])
    gradient_noise: float = _method(NUMBERS["gradient_noise"])
    output_penalty: str = text(
        "regularizers",
        "",
        f'a sum such as "confidence(0.1) + jacobian(0.01)"; penalties: {", ".join(catalog.OUTPUT_PENALTIES)}',
    )
    augment: str = text(
        "regularizers",
        "",
        "as pad_crop=4,flip=0.5,cutout=4 or rand_augment(9, layers=2); 'default' depends on the data; names: "
        + ", ".join(catalog.AUGMENTATIONS),
    )
    label_smoothing: float = _method(NUMBERS["label_smoothing"])
    mixup: float = _method(NUMBERS["mixup"])
    cutmix: float = _method(NUMBERS["cutmix"])


@dataclasses.dataclass(frozen=True)
class RunOptions(ResumableOptions, RegularizerOptions, TrainingOptions, DataOptions):
    """Options of a command that trains."""

    model: str = text("model", "mlp", f'{", ".join(catalog.MODELS)}; with fields as "mlp(widths=(64, 64), skip=True)"')
    widths: tuple[int, ...] | None = widths(
        "model", "units of hidden layers (mlp) or channels (cnn, resnet); default 256, 32,64 or 32,64,128"
    )


@dataclasses.dataclass(frozen=True)
class DecisionOptions(Options):
    """What a prediction says beside the outputs of the model."""

    threshold: float | None = number(
        "predict",
        None,
        "of two classes: the probability from which on the second one is predicted; default 0.5",
        high=1.0,
    )
    precision: float | None = number(
        "predict",
        None,
        "of two classes: predict the second one from the lowest probability with this precision on validation examples",
        high=1.0,
    )
    cost: str | None = text(
        "predict",
        None,
        "of two classes: costs of a false negative and of a false positive, such as 5:1; the threshold has the least "
        "cost on validation examples",
    )
    interval: float = number(
        "predict",
        0.9,
        "of numbers: the share of new targets that low to high should hold, by the errors on validation examples; 0 "
        "writes no interval",
        high=1.0,
        high_open=True,
    )
    mc_samples: int = whole(
        "predict", 0, "predict with so many passes of the noise of training, and say how they differ", low=0
    )
