"""The catalogue and the registries name the same methods; what it says of them holds."""

import inspect
import math
import subprocess
import sys
import unicodedata

import pytest

import regjax as rj
from regjax import catalog
from regjax.augment import AUGMENTATIONS
from regjax.comparison.registry import TechniqueContext, resolve
from regjax.losses import LOSSES
from regjax.models.registry import MODELS
from regjax.noise import NOISES, UNBOUNDED
from regjax.optim.optimizers import OPTIMIZERS
from regjax.penalties import PENALTIES
from regjax.penalties.outputs import OUTPUT_PENALTIES
from regjax.training.spec import make_hparams

GROUPS = ("PENALTIES", "NOISES", "OUTPUT_PENALTIES", "NUMBERS", "AUGMENTATIONS", "TECHNIQUES")
METHODS = [(group, method) for group in GROUPS for method in getattr(catalog, group).values()]
# Of a net: dropout that knows where it stands in it.
PLACES = {"input_dropout", "attention_dropout"}


@pytest.mark.parametrize(
    ("listed", "registry"),
    [
        (catalog.PENALTIES, PENALTIES),
        (catalog.OUTPUT_PENALTIES, OUTPUT_PENALTIES),
        (catalog.AUGMENTATIONS, AUGMENTATIONS),
        (catalog.LOSSES, LOSSES),
        (catalog.MODELS, MODELS),
        (catalog.OPTIMIZERS, OPTIMIZERS),
        (set(catalog.NOISES) - PLACES, NOISES),
    ],
    ids=["penalties", "outputs", "augmentations", "losses", "models", "optimizers", "noises"],
)
def test_registries_have_the_names_of_the_catalogue(listed, registry):
    assert set(listed) == set(registry)


@pytest.mark.parametrize(("group", "method"), METHODS, ids=lambda value: getattr(value, "name", value))
def test_a_record_is_complete_and_its_grid_is_accepted(group, method):
    assert method.title
    assert method.name == method.name.lower()
    assert list(method.grid) == sorted(set(method.grid))
    assert all(value > 0 and (value < method.high or value == method.high != math.inf) for value in method.grid)
    if group != "TECHNIQUES":
        assert method.unit
    if group == "NUMBERS":
        for value in method.grid:
            make_hparams(learning_rate=0.1, n_train=10, **{method.name: value})
    if group == "OUTPUT_PENALTIES":
        assert {OUTPUT_PENALTIES[method.name](value).kind for value in method.grid} == {method.name}


FUNCTIONS = {
    **PENALTIES,
    **OUTPUT_PENALTIES,
    **NOISES,
    **{name: kind.apply for name, kind in AUGMENTATIONS.items()},
    "label_smoothing": rj.smooth_labels,
    "mixup": rj.augment.mixup,
    "cutmix": rj.augment.cutmix,
    "sam": rj.sam,
    "gradient_noise": rj.gradient_noise,
}
SOURCED = {m.name: m.source for g, m in METHODS if m.source and g != "TECHNIQUES" and m.name in FUNCTIONS}


def without_accents(text):
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


@pytest.mark.parametrize("name", SOURCED)
def test_the_source_is_one_that_the_function_names(name):
    author, year = without_accents(SOURCED[name]).split()[0], SOURCED[name].split()[-1]
    text = without_accents(inspect.getdoc(FUNCTIONS[name]))
    assert author in text
    assert year in text


def test_rates_are_below_one_where_the_function_refuses_one():
    for name in set(catalog.NOISES) - PLACES:
        assert (name in UNBOUNDED) == (not catalog.NOISES[name].high_open)


def test_every_technique_can_be_asked_for():
    noises = tuple(catalog.NOISES)
    names = [name for name in catalog.TECHNIQUES if name != catalog.COMBINATION]
    context = TechniqueContext(train_examples=100, pool=1000, noises=noises)
    found, combined = resolve(list(catalog.TECHNIQUES), context)
    assert combined
    assert [technique.name for technique in found] == names
    assert [technique.title for technique in found] == [catalog.TECHNIQUES[name].title for name in names]


def test_the_catalogue_imports_no_jax():
    code = "import sys, regjax.catalog; print([m for m in ('jax', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
