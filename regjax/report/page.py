"""Rendering of templates with autoescaping, and atomic writing of files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regjax.report.panels import Panel
from regjax.report.style import DARK, LIGHT, css_variables
from regjax.report.words import duration, finite, plain

_CONTROL = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(template: str, content: Mapping[str, Any]) -> str:
    """Render a template of this package; all strings are escaped, except the SVG and CSS made here.

    Args:
      template: a file name in `templates/`.
      content: the variables of the template; a missing one is an error.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("regjax.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    variables = {"light": Markup(css_variables(LIGHT)), "dark": Markup(css_variables(DARK))}
    css = Markup(environment.get_template("style.css").render(variables))
    return environment.get_template(template).render({**content, "css": css})


def figure(panel: Panel) -> dict[str, Any]:
    """The heading, note and picture of a panel, for a template."""
    from markupsafe import Markup

    return {"title": panel.title, "note": panel.note, "svg": Markup(panel.inline())}


def reproduce(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """The section on how to repeat the results; None if the file has no such facts.

    Args:
      results: with `reproduce`: `{command, versions, python, platform, devices, seeds, commit, started,
        seconds}`, all of them optional; rows with `commands` give those of their runs.
    """
    facts_in_file = results.get("reproduce")
    if not facts_in_file:
        return None
    versions = facts_in_file.get("versions") or results.get("versions") or {}
    seeds, devices = facts_in_file.get("seeds"), facts_in_file.get("devices")
    facts = [
        ("Seeds", _seeds(seeds)),
        ("Commit", facts_in_file.get("commit")),
        ("Python", facts_in_file.get("python")),
        ("Packages", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("Machine", facts_in_file.get("platform")),
        ("Devices", ", ".join(map(str, devices)) if isinstance(devices, list | tuple) else devices),
        ("Started", facts_in_file.get("started")),
        ("Took", duration(facts_in_file["seconds"]) if finite(facts_in_file.get("seconds")) else None),
        ("Folder", facts_in_file.get("workdir")),
    ]
    known_facts = [(name, str(value)) for name, value in facts if value not in (None, "", [])]
    rows = [results.get("baseline"), *(results.get("techniques") or {}).values()]
    runs = [(row["title"], row["commands"]) for row in rows if row and row.get("commands")]
    return {
        "command": facts_in_file.get("command"),
        "facts": known_facts,
        "runs": runs,
        "exact": devices in ("cpu", ["cpu"]),
    }


def _seeds(seeds: Any) -> str | None:
    if isinstance(seeds, list | tuple):
        return ", ".join(map(str, seeds))
    return None if seeds is None else plain(seeds)


def clean(value: Any) -> Any:
    """The same structure without control characters in its strings, which XML must not contain; keeps newlines."""
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, str):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


def write(path: Path, text: str) -> Path:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)
    return path
