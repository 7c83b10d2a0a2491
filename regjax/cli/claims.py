"""Measure statements about regularization, and say of each whether it is supported, contradicted, or not shown.

  regjax claims --workdir=runs/claims

Writes claims.json, report.html and figures/ into --workdir. Each claim has a hypothesis and a margin that were fixed
before. It is measured in several runs for each of --seeds, under one or more circumstances; the probability that any of
the verdicts is wrong is at most 5%, if runs are independent. Those on embedded data draw from the same examples, so
what is said of them holds for these. All of them take about seven minutes on two cores, and no data beyond those that
are embedded. Use --resume to continue after an interruption (exit code 75); --only=NAME,NAME measures some of the
claims, and --names lists them.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from regjax.cli import app, flags, workdirs
from regjax.cli.options import DeviceOptions, ResumableOptions
from regjax.core.options import switch, text, whole


@dataclasses.dataclass(frozen=True)
class Config(ResumableOptions, DeviceOptions):
    """The options of the command."""

    workdir: str = text("data", "runs/claims", "where the results go", fixed=False)
    only: str = text("claims", "", "claims to measure, separated by commas; default: all")
    seed: int = whole("claims", 0, "the first of the seeds", low=0)
    seeds: int = whole("claims", 5, "seeds; each has several runs of every claim", low=3)
    names: bool = switch("claims", False, "list the names of the claims with their statements, and end", fixed=False)


def main(config: Config) -> int:
    """Check the flags, measure the claims, and write the results; returns the exit code."""
    started = time.time()
    if not config.names:
        workdirs.check(config, "claims")

    from regjax.claims.judge import LEVEL
    from regjax.claims.registry import CLAIMS, TESTS
    from regjax.report.claims_page import write_claims_report
    from regjax.report.claims_words import headline, terminal_lines

    if config.names:
        print("\n".join(f"{name:36} {claim.statement}" for name, claim in CLAIMS.items()))
        return app.DONE
    names = _wanted(config, list(CLAIMS))
    workdir = Path(config.workdir).expanduser()
    if config.resume and workdirs.is_finished(config, "claims", "claims.json"):
        print(f"{workdir}: these claims are measured; nothing to do")
        return app.DONE
    content: dict[str, Any] = {
        "seeds": list(range(config.seed, config.seed + config.seeds)),
        "tests": TESTS,
        "level": LEVEL,
        "claims": _measure(config, names),
    }
    content["reproduce"] = app.reproduce("claims", started) | {"seeds": content["seeds"]}
    with workdirs.written_aside(workdir) as aside:
        workdirs.write_json(aside / "config.json", {"experiment": "claims", "flags": config.to_json()})
        workdirs.write_json(aside / "claims.json", content)
        write_claims_report(content, aside)
    print("\n".join(terminal_lines(content)))
    print(headline(content))
    print(f"report: {workdir / 'report.html'}   {time.time() - started:.0f} s")
    return app.DONE


def _wanted(config: Config, known: list[str]) -> list[str]:
    """Return the claims that are asked for, in the order of the guide."""
    if not config.only:
        return known
    wanted = {name.strip().replace("-", "_") for name in config.only.split(",")} - {""}
    unknown = sorted(wanted - set(known))
    flags.check(not unknown, "only", f"{', '.join(unknown)}: no such claim; --names lists them")
    flags.check(bool(wanted), "only", "names no claim; --names lists them")
    return [name for name in known if name in wanted]


def _measure(config: Config, names: list[str]) -> list[dict[str, Any]]:
    """Measure the claims that are not measured yet, and return the entries of all of them."""
    from regjax.claims.registry import CLAIMS, entry
    from regjax.cli.progress import Bar

    seeds = range(config.seed, config.seed + config.seeds)
    found = []
    app.terminate_as_interrupt()
    with workdirs.unfinished(config, "claims") as directory, Bar("claims", len(names)) as bar:
        for number, name in enumerate(names, 1):
            file = directory / f"{name}.json"
            if not file.exists():
                begun = time.time()
                measured = entry(CLAIMS[name], CLAIMS[name].measured(seeds), seeds)
                options = f" --seed={config.seed}" if config.seed else ""
                command = f"{' '.join(app.program('claims'))} --only={name} --seeds={config.seeds}{options}"
                measured |= {"command": f"{command} --workdir=runs/{name}", "seconds": round(time.time() - begun, 1)}
                workdirs.write_json(file, measured)
            found.append(json.loads(file.read_text()))
            bar.update(number, f"{name}: {found[-1]['verdict']}")
    return found
