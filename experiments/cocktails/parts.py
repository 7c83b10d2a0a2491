"""What a cocktail may consist of.

A part is a regularizer with the range of its strength; 0 leaves it out. All strengths are traced numbers, so one
compiled program trains every subset of its parts. Parts that cost another pass through the net, that draw a number for
each weight, or that change the net are not in every program, because each program would pay for all of them: a program
has at most one part of each of these groups (`Program`), and a search goes over several programs, drawn at random.

R-Drop compares two passes with different noise, and does nothing in a cocktail without noise.

Left out: those that do what another part does, such as Gaussian dropout or L2 in the loss; the snapshot ensemble, which
prescribes a schedule of its own; the shake-shake and shake-drop of residual nets of Kadra et al.; and what needs
convolutions, which take ten times as long. Images are trained on as rows of pixels after their augmentation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import regjax as rj
from regjax.averaging import ema, lookahead, swa
from regjax.comparison.techniques import merge
from regjax.sweeps import Range

OFF = 0.5
"""A part is left out with this probability."""
LEARNING_RATE = Range(3e-4, 3e-2, log=True)


class Part(NamedTuple):
    """A part of a cocktail.

    Attributes:
      title: as texts name it.
      strengths: its range; it is left out with the probability `OFF`.
      arguments: of `rj.make_hparams` at a strength; 0 has the effect of leaving it out.
      group: empty for a part of every program, else the group of which a program has one part at most.
    """

    title: str
    strengths: Range
    arguments: Callable[[float], dict[str, Any]]
    group: str = ""


def _rate(name: str) -> Callable[[float], dict[str, Any]]:
    return lambda rate: {"rates": {name: rate}}


def _number(name: str) -> Callable[[float], dict[str, Any]]:
    return lambda value: {name: value}


UPDATES_AT_ALL = 10**6  # an average that begins here never begins

PARTS: dict[str, Part] = {
    "early_stopping": Part("weights of the best epoch", Range(0.5, 1.0), lambda on: {"restore_best": on > 0}),
    "decoupled": Part("decoupled L2", Range(1e-2, 1e1, log=True), lambda s: {"penalties": {"decoupled": rj.l2(s)}}),
    "l1": Part("L1 proximal", Range(1e-5, 1e-2, log=True), lambda s: {"penalties": {"proximal": rj.l1(s)}}),
    "dropout": Part("dropout", Range(0.05, 0.8), _rate("dropout")),
    "input_dropout": Part("input dropout", Range(0.02, 0.4), _rate("input_dropout")),
    "gaussian_noise": Part("Gaussian noise", Range(0.02, 1.0, log=True), _rate("gaussian_noise")),
    "label_smoothing": Part("label smoothing", Range(0.01, 0.3), _number("label_smoothing")),
    "mixup": Part("mixup", Range(0.05, 2.0, log=True), _number("mixup")),
    "cutmix": Part("CutMix", Range(0.05, 2.0, log=True), _number("cutmix")),
    "augmentation": Part("augmentation", Range(0.2, 2.0), _number("augment")),
    "sam": Part("SAM", Range(0.01, 0.3, log=True), _number("sam"), group="pass"),
    "fgsm": Part(
        "adversarial (FGSM)", Range(0.01, 0.3, log=True),
        lambda e: {"output_penalties": [rj.fgsm(e, weight=0.5 * (e > 0))]}, group="pass",
    ),
    "r_drop": Part(
        "R-Drop", Range(0.05, 3.0, log=True), lambda s: {"output_penalties": [rj.r_drop(s)]}, group="pass"
    ),
    "drop_connect": Part("DropConnect", Range(0.05, 0.5), _rate("drop_connect"), group="weights"),
    "weight_noise": Part("weight noise", Range(0.003, 0.1, log=True), _rate("weight_noise"), group="weights"),
    "gradient_noise": Part("gradient noise", Range(1e-4, 0.1, log=True), _number("gradient_noise"), group="weights"),
    "ema": Part("average (EMA)", Range(0.8, 0.99), lambda decay: {"average": ema(decay)}, group="average"),
    "lookahead": Part(
        "lookahead", Range(0.2, 0.9),
        lambda slow: {"average": lookahead(5, slow or 1.0)}, group="average",
    ),
    "swa": Part(
        "average (SWA)", Range(1, 400, whole=True),
        lambda start: {"average": swa(start or UPDATES_AT_ALL)}, group="average",
    ),
    "batch_norm": Part("batch normalization", Range(0.5, 1.0), lambda on: {}, "norm"),
    "skip": Part("skip connections", Range(0.5, 1.0), lambda on: {}, "skip"),
}  # fmt: skip
AUGMENTATIONS = {"image": "shift=1,rotate=15,cutout=2", "table": "noise=0.4,row_cutout=0.2"}
STRUCTURE = ("batch_norm", "skip")
"""The parts that change the net, and are either in all of a program or in none of it."""


class Program(NamedTuple):
    """The parts that one compiled program has, in the order of `PARTS`."""

    parts: tuple[str, ...]

    @property
    def structure(self) -> dict[str, Any]:
        """Arguments of the net."""
        return {name: name in self.parts for name in STRUCTURE}

    def space(self) -> dict[str, Range]:
        """What is searched: the learning rate, and the strength of each part that may be 0."""
        traced = [name for name in self.parts if name not in STRUCTURE]
        return {"learning_rate": LEARNING_RATE} | {name: PARTS[name].strengths._replace(off=OFF) for name in traced}

    def without(self, left_out: str) -> Program:
        """The program without a part that changes the net."""
        return Program(tuple(name for name in self.parts if name != left_out))


def programs() -> list[Program]:
    """All programs."""
    groups = {part.group for part in PARTS.values() if part.group}
    choices = [["", *(name for name, part in PARTS.items() if part.group == group)] for group in sorted(groups)]
    found = []
    for chosen in itertools.product(*choices):
        if {"sam", "gradient_noise"} <= set(chosen):
            continue  # SAM moves on by a second gradient, so noise on the first one is refused
        found.append(Program(tuple(name for name, part in PARTS.items() if not part.group or name in chosen)))
    return found


def drawn_programs(count: int, seed: int) -> list[Program]:
    """Draw different programs, each as probable as the others."""
    known = programs()
    return [known[i] for i in np.random.default_rng(seed).permutation(len(known))[:count]]


def arguments(program: Program, point: Mapping[str, float]) -> dict[str, Any]:
    """Arguments of `rj.make_hparams` for a point: every part of the program is there, at strength 0 if it is off."""
    traced = [name for name in program.parts if name not in STRUCTURE]
    return {"learning_rate": point["learning_rate"]} | merge([PARTS[n].arguments(point.get(n, 0.0)) for n in traced])


def on(program: Program, point: Mapping[str, float]) -> tuple[str, ...]:
    """The parts of a cocktail: those of its program that have a strength, or change the net."""
    return tuple(name for name in program.parts if name in STRUCTURE or point.get(name, 0.0) > 0)
