"""Every method by name, with what a reader needs to know of it: title, unit, range, default grid, source.

Flags, tables and reports take names from here. It imports nothing, so that `--help` starts no JAX; the functions behind
the names are in the rooms, in registries with the same keys, which a test compares with these.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import NamedTuple

_INF = math.inf


class Method(NamedTuple):
    """One method.

    Attributes:
      name: as flags, files and registries have it.
      title: as tables and figures have it.
      unit: what its number is: `"strength"`, `"rate"`, ...; empty where there is nothing to choose.
      help: what it does, in a few words; for noises and augmentations what the number means.
      high: largest number; the smallest is 0.
      high_open: whether `high` itself is refused.
      low_open: whether 0 itself is refused.
      grid: numbers that a comparison tries by default.
      source: where it comes from.
    """

    name: str
    title: str
    unit: str = "strength"
    help: str = ""
    high: float = _INF
    high_open: bool = False
    grid: tuple[float, ...] = ()
    source: str = ""
    low_open: bool = False


class Metric(NamedTuple):
    """A metric of predictions.

    Attributes:
      name: as options and files have it.
      title: as sentences and tables have it.
      task: of whose predictions it is.
      higher: whether a higher value is better.
      percent: whether it is a fraction that is shown in percent, and its changes in points.
      needs_classes: whether it is defined only where examples of two classes are.
      of_loss: whether it is a share of the data loss, whichever that is.
      of_labels: title where an example has several labels, as the mean over them; empty if it is not for these.
    """

    name: str
    title: str
    task: str
    higher: bool = True
    percent: bool = False
    needs_classes: bool = False
    of_loss: bool = False
    of_labels: str = ""

    def serves(self, task: str) -> bool:
        """Whether it is a metric of this task."""
        return task == self.task or (task == "multilabel" and bool(self.of_labels))

    def title_in(self, task: str) -> str:
        """The title for this task."""
        return self.of_labels if task == "multilabel" and self.of_labels else self.title

    @property
    def sign(self) -> float:
        """The factor that makes a higher value the better one."""
        return 1.0 if self.higher else -1.0

    @property
    def limits(self) -> tuple[float, float]:
        """The range of values."""
        if self.percent:
            return 0.0, 1.0
        return (-_INF, 1.0) if self.higher else (0.0, _INF)


class DataLoss(NamedTuple):
    """A data loss, which training minimizes.

    Attributes:
      name: as flags, files and registries have it.
      title: as sentences and tables have it.
      task: of whose outputs it is.
      help: what it does, in a few words.
      power: of which power of the target's unit it is: 2 for squares, 1 for absolute errors, 0 without a unit.
      source: where it comes from.
      parameter: name of its number, one of `LOSS_PARAMETERS`; empty if it has none.
      default: of the parameter.
      link: what an output of the model is: `"identity"`, the number itself, or `"log"`, its logarithm.
    """

    name: str
    title: str
    task: str
    help: str
    power: int = 0
    source: str = ""
    parameter: str = ""
    default: float | None = None
    link: str = "identity"


def _by_name(*methods: Method) -> dict[str, Method]:
    return {method.name: method for method in methods}


PENALTIES = _by_name(
    Method("elastic_net", "elastic net", help="absolute value and square", source="Zou & Hastie 2005"),
    Method("group_lasso", "group lasso", help="norm of each unit", source="Yuan & Lin 2006"),
    Method("l0", "L0", help="number of non-zeros", source="Blumensath & Davies 2008"),
    Method("l1", "L1", help="absolute value", source="Tibshirani 1996"),
    Method("l2", "L2", help="square", source="Hoerl & Kennard 1970"),
    Method("l2_to", "L2 to the start", help="square of the distance to an anchor", source="Hu et al. 2020"),
    Method("log_sum", "log-sum", help="logarithm of the absolute value", source="Candès et al. 2008"),
    Method("mcp", "MCP", help="absolute value that flattens out", source="Zhang 2010"),
    Method("nuclear", "nuclear norm", help="sum of singular values", source="Fazel 2002"),
    Method("orthogonal", "orthogonality", help="distance of W'W from the identity", source="Bansal et al. 2018"),
    Method("scad", "SCAD", help="absolute value that flattens out", source="Fan & Li 2001"),
    Method("sparse_group_lasso", "sparse group lasso", help="norm of each unit and absolute value",
           source="Simon et al. 2013"),
    Method("spectral", "spectral norm", help="largest singular value, squared", source="Yoshida & Miyato 2017"),
)  # fmt: skip

_RATES = (0.05, 0.1, 0.2, 0.3, 0.5)
_STRONG_RATES = (0.1, 0.2, 0.4, 0.6, 0.8)


def _noise(name: str, title: str, help: str, grid: tuple[float, ...] = _RATES, source: str = "") -> Method:
    return Method(name, title, "rate", help, 1.0, True, grid, source)


NOISES = _by_name(
    _noise("input_dropout", "input dropout", "fraction of inputs dropped", source="Srivastava et al. 2014"),
    _noise("dropout", "dropout", "fraction of hidden units dropped in training", (0.2, 0.4, 0.6, 0.8, 0.9, 0.95),
           "Srivastava et al. 2014"),
    _noise("spatial_dropout", "spatial dropout", "fraction of channels dropped (cnn, resnet)",
           source="Tompson et al. 2015"),
    _noise("gaussian_dropout", "Gaussian dropout", "rate of multiplicative normal noise on hidden units", _STRONG_RATES,
           "Srivastava et al. 2014"),
    _noise("alpha_dropout", "alpha dropout",
           "fraction of hidden units dropped after a SELU: --model=\"mlp(activation='selu')\"",
           source="Klambauer et al. 2017"),
    Method("concrete_dropout", "concrete dropout",
           help="strength of the regularizer of learned rates: --model='mlp(concrete=True)'", source="Gal et al. 2017"),
    _noise("drop_block", "DropBlock", "fraction of a feature map dropped in squares (cnn, resnet)",
           source="Ghiasi et al. 2018"),
    _noise("drop_path", "DropPath",
           "fraction of the last residual branch dropped, less before it (resnet, vit, mlp(skip=True))",
           source="Huang et al. 2016"),
    _noise("attention_dropout", "attention dropout", "fraction of attention weights dropped (vit)",
           source="Vaswani et al. 2017"),
    _noise("drop_connect", "DropConnect", "fraction of weights dropped", _STRONG_RATES, "Wan et al. 2013"),
    Method("gaussian_noise", "Gaussian noise", "deviation", "standard deviation of noise on hidden units",
           grid=(0.05, 0.1, 0.2, 0.5, 1.0), source="Bishop 1995"),
    Method("weight_noise", "weight noise", "deviation", "standard deviation of noise on weights",
           grid=(0.01, 0.02, 0.05, 0.1, 0.2), source="Graves 2011"),
)  # fmt: skip

OUTPUT_PENALTIES = _by_name(
    Method("activity_l1", "activity L1", help="absolute value of activations", grid=(1e-5, 1e-4, 1e-3, 1e-2),
           source="Glorot et al. 2011"),
    Method("activity_l2", "activity L2", help="square of activations", grid=(1e-5, 1e-4, 1e-3, 1e-2),
           source="Merity et al. 2017"),
    Method("confidence", "confidence penalty", help="negative entropy of the predictions", grid=(0.03, 0.1, 0.3, 1.0),
           source="Pereyra et al. 2017"),
    Method("fgsm", "adversarial (FGSM)", "epsilon", "loss at inputs moved by the sign of their gradient",
           grid=(0.02, 0.05, 0.1, 0.2, 0.5), source="Goodfellow et al. 2015"),
    Method("jacobian", "Jacobian penalty", help="square of the derivative of the outputs by the inputs",
           grid=(1e-4, 1e-3, 1e-2, 0.1), source="Hoffman et al. 2019"),
    Method("r_drop", "R-Drop", help="divergence of two passes with other noise", grid=(0.1, 0.3, 1.0, 3.0),
           source="Wu et al. 2021"),
)  # fmt: skip

# One argument of `rj.make_hparams` each.
NUMBERS = _by_name(
    Method("label_smoothing", "label smoothing", "part", "e of (1 - e) y + e / K", 1.0, True, _RATES,
           "Szegedy et al. 2016"),
    Method("mixup", "mixup", "alpha", "alpha of Beta(alpha, alpha); 0 mixes nothing", grid=(0.1, 0.2, 0.5, 1.0, 2.0),
           source="Zhang et al. 2018"),
    Method("cutmix", "CutMix", "alpha", "alpha of CutMix, for a table of its rows; 0 mixes nothing",
           grid=(0.1, 0.2, 0.5, 1.0, 2.0), source="Yun et al. 2019"),
    Method("sam", "SAM", "radius", "radius of sharpness-aware minimization; two gradients an update; 0 is off",
           grid=(0.01, 0.02, 0.05, 0.1, 0.2), source="Foret et al. 2021"),
    Method("gradient_noise", "gradient noise", "variance", "variance of normal noise on the first gradient; it decays",
           grid=(1e-4, 1e-3, 1e-2, 0.1), source="Neelakantan et al. 2015"),
)  # fmt: skip

AUGMENTATIONS = _by_name(
    Method("shift", "shift", "largest shift in pixels"),
    Method("pad_crop", "crop", "padding in pixels before a random crop"),
    Method("flip", "flip", "probability of a horizontal flip", high=1.0),
    Method("rotate", "rotation", "largest angle in degrees", high=180.0),
    Method("shear", "shear", "largest slope"),
    Method("scale", "scaling", "largest change of size"),
    Method("affine", "affine", "share of its largest rotation, shear, scale and shift"),
    Method("elastic", "elastic", "standard deviation of the displacement in pixels", source="Simard et al. 2003"),
    Method("brightness", "brightness", "largest change of the factor"),
    Method("contrast", "contrast", "largest change of the factor"),
    Method("saturation", "saturation", "largest change of the factor"),
    Method("hue", "hue", "largest turn of the colour circle", high=0.5),
    Method("posterize", "posterize", "largest number of bits taken away", high=8.0),
    Method("solarize", "solarize", "largest share of levels inverted", high=1.0),
    Method("equalize", "equalize", "share of the equalized image", high=1.0),
    Method("autocontrast", "autocontrast", "share of the stretched image", high=1.0),
    Method("sharpness", "sharpness", "largest change of the factor"),
    Method("blur", "blur", "largest standard deviation in pixels"),
    Method("noise", "noise", "standard deviation of added noise", source="Bishop 1995"),
    Method("cutout", "cutout", "side of the covered square in pixels", source="DeVries & Taylor 2017"),
    Method("random_erasing", "random erasing", "largest share of the image covered", high=1.0,
           source="Zhong et al. 2020"),
    Method("rand_augment", "RandAugment", "magnitude of all operations", high=10.0, source="Cubuk et al. 2020"),
    Method("trivial_augment", "TrivialAugment", "largest magnitude of the operation", high=10.0,
           source="Müller & Hutter 2021"),
    Method("aug_mix", "AugMix", "largest magnitude of an operation", high=10.0, source="Hendrycks et al. 2020"),
    Method("row_cutout", "row cutout", "share of features covered", high=1.0, source="Kadra et al. 2021"),
    Method("feature_dropout", "feature dropout", "fraction of features dropped", high=1.0),
)  # fmt: skip

# The rows of a comparison; those whose grid is empty depend on the data.
COMBINATION = "combination"
TECHNIQUES = _by_name(
    Method("more_data", "more data (same updates)", "examples"),
    Method("augmentation", "augmentation", grid=(0.25, 0.5, 1.0, 1.5, 2.0)),
    Method("early_stopping", "early stopping", "", grid=(1.0,), source="Prechelt 1998"),
    Method("l2", "L2 in the loss", grid=(1e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2, 0.1)),
    Method("l1", "L1 proximal", grid=(1e-4, 3e-4, 1e-3, 2e-3, 4e-3, 1e-2, 2e-2)),
    NOISES["dropout"],
    Method(COMBINATION, "combination", "scale of strengths", grid=(0.25, 0.5, 1.0)),
    Method("decoupled", "L2 decoupled (AdamW)", grid=(0.03, 0.1, 0.3, 1.0, 2.5, 5.0, 10.0),
           source="Loshchilov & Hutter 2019"),
    *(noise for noise in NOISES.values() if noise.grid and noise.name != "dropout"),
    *NUMBERS.values(),
    *OUTPUT_PENALTIES.values(),
)  # fmt: skip
DEFAULT_TECHNIQUES = ("more_data", "augmentation", "early_stopping", "l2", "l1", "dropout", COMBINATION)

# Lists, because `regjax.plugins` adds to them.
OPTIMIZERS = [
    "sgd", "momentum", "nesterov", "adam", "rmsprop", "adagrad", "nadam", "amsgrad", "adamax", "lion", "muon",
    "adafactor",
]  # fmt: skip
PENALTY_MODES = ("loss", "coupled", "decoupled", "independent", "proximal")
MODELS = ["linear", "mlp", "cnn", "resnet", "vit"]
DATASETS = ("digits", "breast_cancer", "wine", "diabetes", "spirals", "sparse_regression")
TASKS = ("classification", "regression", "multilabel")
"""One class of several for each example; numbers, one or more; or several labels, each of which is 0 or 1."""
IMPUTE = ("median", "refuse")
"""What becomes of the missing cells of a table: they are imputed, or the table is refused."""
IMAGE_FITS = ("crop", "pad")
IMAGE_BACKGROUNDS = ("white", "gray", "black")
SCHEDULES = ("constant", "cosine", "linear")
RATE_SCHEDULES = ("constant", "up", "down")
PRECISIONS = ("float32", "bfloat16")
SMOOTHINGS = ("uniform", "others")
CLASS_WEIGHTS = ("balanced", "effective")
STOP_CRITERIA = ["patience", "gl", "pq", "up"]
SELECTIONS = ("best", "1se")
PATH_ORDERS = ("up", "down")
"""The orders of a regularization path: from weak to strong, and from strong to weak."""
SEARCHES = ("grid", "random", "sobol", "halving", "asha", "optuna")
"""How the settings of a sweep are chosen: all combinations of lists, points of ranges, and trials that are halted."""
LAYOUTS = ("auto", "map", "vmap")
"""How the runs of a sweep are laid out: one by one on each core, or side by side; auto chooses by the device."""

# The numbers of data losses; one argument of `rj.make_hparams` each.
LOSS_PARAMETERS = _by_name(
    Method("huber_delta", "Huber's delta", "deviations",
           "of --loss=huber: from which error on it is linear, in standard deviations of the training targets, by "
           "which they are divided", source="Huber 1964", low_open=True),
    Method("quantile", "quantile", "quantile",
           "of --loss=quantile: which one, such as 0.9 for a bound that 90% of targets stay below", 1.0, True,
           source="Koenker & Bassett 1978", low_open=True),
    Method("focal_gamma", "focal gamma", "exponent",
           "of --loss=focal: how much less easy examples weigh; 0 is the cross entropy", source="Lin et al. 2017"),
)  # fmt: skip

# What training minimizes; the first one of each task is the default.
LOSSES = MappingProxyType(
    {
        loss.name: loss
        for loss in (
            DataLoss("cross_entropy", "loss", "classification", "negative logarithm of the probability of the label"),
            DataLoss("mse", "MSE", "regression", "square of the error, for the mean", 2),
            DataLoss("mae", "MAE", "regression", "absolute error, for the median; outliers pull little", 1,
                     "Koenker & Bassett 1978"),
            DataLoss("huber", "Huber loss", "regression", "square up to --huber_delta, absolute error beyond", 2,
                     "Huber 1964", "huber_delta", 1.0),
            DataLoss("quantile", "pinball loss", "regression", "pinball loss, for the quantile --quantile", 1,
                     "Koenker & Bassett 1978", "quantile", 0.5),
            DataLoss("poisson", "Poisson deviance", "regression", "for counts; the model gives the logarithm of a rate",
                     0, "Nelder & Wedderburn 1972", link="log"),
            DataLoss("focal", "focal loss", "classification", "cross entropy that weighs easy examples less", 0,
                     "Lin et al. 2017", "focal_gamma", 2.0),
            DataLoss("binary_cross_entropy", "loss", "multilabel",
                     "cross entropy of each label on its own, a mean over labels"),
        )
    }
)  # fmt: skip
DEFAULT_LOSS = MappingProxyType({task: next(n for n, loss in LOSSES.items() if loss.task == task) for task in TASKS})
"""The data loss of each task that is trained on unless another one is chosen."""

# What a comparison may choose and test by; the first one of each task is the default.
METRICS = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("accuracy", "accuracy", "classification", percent=True, of_labels="label accuracy"),
            Metric("balanced_accuracy", "balanced accuracy", "classification", percent=True,
                   of_labels="macro balanced accuracy"),
            Metric("roc_auc", "ROC AUC", "classification", percent=True, needs_classes=True,
                   of_labels="macro ROC AUC"),
            Metric("average_precision", "average precision", "classification", percent=True, needs_classes=True,
                   of_labels="macro average precision"),
            Metric("f1", "F1", "classification", percent=True, needs_classes=True, of_labels="macro F1"),
            Metric("log_loss", "log loss", "classification", higher=False, of_labels="log loss"),
            Metric("brier", "Brier score", "classification", higher=False),
            Metric("r2", "R²", "regression"),
            Metric("mae", "mean absolute error", "regression", higher=False),
            Metric("rmse", "root mean squared error", "regression", higher=False),
            Metric("d2", "D²", "regression", of_loss=True),
        )
    }
)  # fmt: skip
SCORE = MappingProxyType(
    {task: next(name for name, metric in METRICS.items() if metric.serves(task)) for task in TASKS}
)
"""The default metric of each task, which training computes after every epoch; a higher value is better."""


def default_metric(task: str, loss: str) -> str:
    """The metric by which settings are chosen: `SCORE`, or D² if a regression is not after the mean.

    Example:
      >>> default_metric("regression", "mse"), default_metric("regression", "quantile")
      ('r2', 'd2')
    """
    return "d2" if task == "regression" and loss != DEFAULT_LOSS[task] else SCORE[task]
