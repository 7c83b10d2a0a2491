"""Methods from outside: each is a file of its own, which no file of the package knows."""

import json

import numpy as np
import pytest

import regjax as rj
from regjax import catalog, plugins

PENALTY = """
import jax.numpy as jnp
import regjax as rj
rj.register_penalty(rj.Method("twice", "L1 twice", grid=(1e-3, 1e-2)), lambda s, where=None: 2 * rj.l1(s, where))
"""
OUTPUT_PENALTY = """
import dataclasses
import jax, jax.numpy as jnp
import regjax as rj
from regjax.penalties.outputs import OutputPenalty

@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Logits(OutputPenalty):
    kind = "logits"
    def value(self, forward):
        return self.strength * forward.mean(jnp.sum(jnp.square(forward.outputs), axis=-1))

rj.register_output_penalty(rj.Method("logits", "square of the logits", grid=(0.01,)), Logits)
"""
NOISE = """
import jax
import regjax as rj

def sign_noise(key, x, rate):
    return jax.numpy.where(jax.random.bernoulli(key, rate, x.shape), -x, x)

rj.register_noise(rj.Method("sign_noise", "sign noise", "rate", "fraction of weights turned", 1.0, True, (0.01, 0.1)),
                  sign_noise, on_weights=True)
"""
AUGMENTATION = """
import jax
import regjax as rj

def dim(key, x, magnitude):
    return x * (1.0 - magnitude * jax.random.uniform(key, (x.shape[0],) + (1,) * (x.ndim - 1)))

rj.register_augmentation(rj.Method("dim", "dimming", help="loss of light", high=1.0), dim, typical=0.5, takes="any")
"""
OPTIMIZER = """
import optax
import regjax as rj
rj.register_optimizer("plain", lambda rate: optax.sgd(rate), stepsize=rj.stepsizes.sgd)
"""
MODEL = """
import flax.linen as nn
import regjax as rj

class Sine(rj.models.NoisyModel):
    width: int = 8
    @nn.compact
    def __call__(self, x, train=False, rates=None):
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(self.num_outputs)(nn.Dense(self.width)(x).clip(-1, 1))

rj.register_model("sine", Sine)
"""
CRITERION = """
import jax.numpy as jnp
import regjax as rj

def third(state, value, best, train):
    return state + 1, state + 1 >= 3

rj.register_criterion("third", rj.Criterion(lambda: jnp.int32(0), third))
"""
READER = """
import numpy as np
import regjax as rj
from regjax.data import from_arrays
from regjax.data.readers import Format

def load(path, *, task=None, lazy=False):
    table = np.loadtxt(path)
    return from_arrays(table[:, :-1], table[:, -1].astype(int), task=task, name=path.stem)

def inputs(path, preprocessor, note):
    x = np.loadtxt(path)
    return x, [f"row {number}" for number in range(len(x))]

rj.register_reader(".dat", Format(load, inputs))
"""
WITHOUT_FLAGS = """
import regjax as rj
rj.register_technique(rj.Technique(
    "small_steps", "smaller steps", "learning rate", (1e-3,), lambda rate: {"learning_rate": rate}))
"""
UNKNOWN_FLAG = WITHOUT_FLAGS.replace("}))", "}, flags=lambda rate: {'rate': rate}))")
BAD_FLAG = WITHOUT_FLAGS.replace("}))", "}, flags=lambda rate: {'learning_rate': -rate}))")
TECHNIQUE = """
import regjax as rj
rj.register_technique(rj.Technique(
    "small_steps", "smaller steps", "learning rate", (1e-4, 1e-3), lambda rate: {"learning_rate": rate},
    flags=lambda rate: {"learning_rate": rate}))
"""


@pytest.fixture
def with_plugin(run, tmp_path):
    """Run a command beside a file that registers a method; gives the folder of its results."""

    def call(source, module, *arguments, code=0):
        (tmp_path / "my_methods.py").write_text(source)
        done = run(
            module, "--dataset=wine", "--workdir=w", *arguments, variables={"REGJAX_PLUGINS": "my_methods"}, code=code
        )
        return done, tmp_path / "w"

    return call


COMPARE = ("--seeds=1", "--epochs=2", "--model=linear")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "name"),
    [(PENALTY, "twice"), (OUTPUT_PENALTY, "logits"), (NOISE, "sign_noise"), (TECHNIQUE, "small_steps")],
    ids=["penalty", "output penalty", "noise", "technique"],
)
def test_a_method_with_a_grid_is_a_row_of_comparisons(with_plugin, run, source, name):
    _, folder = with_plugin(source, "compare", *COMPARE, f"--techniques={name}")
    row = json.loads((folder / "results.json").read_text())["techniques"][name]
    assert row["chosen"]["value"] > 0
    assert len(row["commands"]) == 1


@pytest.mark.slow
def test_a_row_that_no_flags_repeat_has_no_commands(with_plugin):
    _, folder = with_plugin(WITHOUT_FLAGS, "compare", *COMPARE, "--techniques=small_steps,l2,combination")
    rows = json.loads((folder / "results.json").read_text())["techniques"]
    assert "commands" not in rows["small_steps"]
    assert len(rows["l2"]["commands"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "message"),
    [(UNKNOWN_FLAG, "train has no --rate"), (BAD_FLAG, "learning_rate must be a number > 0")],
)
def test_flags_that_train_does_not_take_are_refused_before_any_run(with_plugin, source, message):
    done, folder = with_plugin(source, "compare", *COMPARE, "--techniques=small_steps", code=2)
    assert "technique 'small_steps'" in done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "flags"),
    [
        (PENALTY, ("--penalty=0.5 * twice(0.1, where='kernel')", "--penalty_mode=proximal")),
        (OUTPUT_PENALTY, ("--output_penalty=logits(0.1)",)),
        (NOISE, ("--sign_noise=0.1",)),
        (AUGMENTATION, ("--augment=dim=0.5",)),
        (OPTIMIZER, ("--optimizer=plain", "--l1=0.1", "--penalty_mode=proximal")),
        (MODEL, ("--model=sine(width=4)",)),
    ],
    ids=["penalty", "output penalty", "noise", "augmentation", "optimizer", "model"],
)
def test_a_method_by_flags_changes_the_run(with_plugin, source, flags):
    """Other weights than without it, and its name in the files of the run."""
    hashes = []
    for arguments in ((), flags):
        _, folder = with_plugin(source, "train", "--epochs=2", *arguments, "--overwrite")
        hashes.append(json.loads((folder / "summary.json").read_text())["params_sha256"])
    assert hashes[0] != hashes[1]


@pytest.mark.slow
def test_a_criterion_ends_a_run_and_is_its_reason(with_plugin):
    _, folder = with_plugin(CRITERION, "train", "--stop_criterion=third", "--epochs=8")
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["epochs_run"], summary["stop_reason"], summary["status"]) == (3, "third", "stopped_early")


@pytest.mark.slow
def test_a_format_is_trained_on_and_predicted_from(with_plugin, run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    np.savetxt(tmp_path / "d.dat", np.column_stack([x, x[:, 0] > 0]))
    np.savetxt(tmp_path / "new.dat", x[:5])
    with_plugin(READER, "train", "--dataset=d.dat", "--epochs=2")
    run("predict", "--workdir=w", "--input=new.dat", "--output=p.csv", variables={"REGJAX_PLUGINS": "my_methods"})
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["id", *(f"row {number}" for number in range(5))]


@pytest.mark.slow
def test_a_plugin_that_cannot_be_imported_is_named_in_one_line(with_plugin):
    done, _ = with_plugin("import nothing_of_this_name", "train", code=2)
    assert "REGJAX_PLUGINS: 'my_methods' cannot be imported: ModuleNotFoundError" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_help_lists_a_noise_from_outside(with_plugin):
    done, _ = with_plugin(NOISE, "train", "--help")
    assert "--sign_noise=float" in done.stdout


@pytest.mark.parametrize(
    ("register", "message"),
    [
        (lambda: rj.register_penalty(rj.Method("l1", "L1"), rj.l1), "'l1' is taken"),
        (lambda: rj.register_noise(rj.Method("a b", ""), lambda key, x, rate: x), "'a b' is not a valid name"),
        (lambda: rj.register_reader(".csv", None), "'.csv' is taken"),
        (lambda: rj.register_reader("csv", None), "'csv' is not an ending"),
        (lambda: rj.register_optimizer("adam", lambda rate: None), "'adam' is taken"),
        (lambda: rj.register_criterion("diverged", rj.Criterion(lambda: (), lambda *a: a)), "'diverged' is taken"),
    ],
    ids=["penalty", "noise", "format", "ending", "optimizer", "criterion"],
)
def test_a_name_that_is_taken_is_refused(register, message):
    with pytest.raises(rj.InputError, match=message):
        register()


def test_every_registry_of_the_catalogue_can_be_added_to():
    """A kind of method that nobody outside can add would be a gap; numbers are arguments of `make_hparams`."""
    registries = {
        "PENALTIES": rj.register_penalty, "OUTPUT_PENALTIES": rj.register_output_penalty, "NOISES": rj.register_noise,
        "AUGMENTATIONS": rj.register_augmentation, "OPTIMIZERS": rj.register_optimizer, "MODELS": rj.register_model,
        "STOP_CRITERIA": rj.register_criterion, "TECHNIQUES": rj.register_technique,
    }  # fmt: skip
    listed = {name for name, value in vars(catalog).items() if name.isupper() and isinstance(value, dict | list)}
    assert listed == {*registries, "NUMBERS", "LOSS_PARAMETERS"}
    assert {*registries.values(), rj.register_reader} == {
        getattr(plugins, name) for name in dir(plugins) if name.startswith("register_")
    }
