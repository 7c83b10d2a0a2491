"""Everything that fights overfitting, as pure JAX functions, and the evidence which of it helps.

`import regjax as rj`. Penalties and transforms work on any pytree of parameters and any optax optimizer;
`rj.layers` and `rj.augment` act on activations and data; `rj.EarlyStopping` works inside `jit`; `rj.make_run` and
`rj.sweep` train one net or hundreds in compiled programs; `rj.compare` tells which technique helps on your data.
"""

import importlib as _importlib
from importlib import util as _util

import lazy_loader as _lazy

__version__ = "0.1.0"

# Nothing is imported before it is used: `import regjax` alone starts no JAX. The names are those of `__init__.pyi`.
_of_stub, _, _names = _lazy.attach_stub(__name__, __file__)
_MODULES = {"layers": "regjax.noise.linen", "stepsizes": "regjax.optim.stepsizes"}
__all__ = sorted([*_names, *_MODULES])

_OTHER_NAMES = {
    "early_stopping": "rj.EarlyStopping",
    "label_smoothing": "rj.smooth_labels",
    "lasso": "rj.l1, or rj.lasso_path for the exact solution",
    "mc_dropout": "rj.mc_predict",
    "ridge": "rj.l2",
    "weight_decay": "rj.l2, in the loss or by rj.make_optimizer(..., penalty=rj.l2(s), mode='decoupled')",
}


def __dir__() -> list[str]:
    return list(__all__)


def __getattr__(name: str) -> object:
    """Imports what is asked for; says where a name is that is not here."""
    if name in _MODULES:
        globals()[name] = _importlib.import_module(_MODULES[name])
        return globals()[name]
    if name in __all__:
        return _of_stub(name)
    if name.startswith("_"):
        raise AttributeError(f"module 'regjax' has no attribute {name!r}")
    if _util.find_spec(f"regjax.{name}"):  # a room, as `from regjax import catalog` asks for it
        return _importlib.import_module(f"regjax.{name}")
    import difflib

    def plain(text: str) -> str:
        return text.replace("_", "").lower()

    places = [_OTHER_NAMES[name]] if name in _OTHER_NAMES else []
    places += [f"rj.{own}" for own in __all__ if plain(own) == plain(name)]
    for room in ("noise", "layers", "augment", "losses", "models", "stepsizes"):
        module = _importlib.import_module(_MODULES.get(room, f"regjax.{room}"))
        for own, thing in vars(module).items():
            if plain(own) == plain(name) and getattr(thing, "__module__", "").startswith(module.__name__):
                places.append(f"rj.{room}.{own}")
    places = places or [f"rj.{own}" for own in difflib.get_close_matches(name, __all__, 1)]
    hint = f"; did you mean {', '.join(places)}?" if places else ""
    raise AttributeError(f"module 'regjax' has no attribute {name!r}{hint}")
