"""Templates to files: jinja2 with everything escaped, written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regjax.core.extras import require
from regjax.report.panels import Panel
from regjax.report.style import DARK, LIGHT, css_variables
from regjax.report.words import duration, finite, plain

_CONTROL = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(template: str, content: Mapping[str, Any]) -> str:
    """A page from a template of this package; every string is escaped, only our own SVG and CSS are not.

    Args:
      template: a file name in `templates/`.
      content: what the template names; a missing name is an error.
    """
    require("jinja2")
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
    """A panel for a template: its heading, its note and its picture."""
    from markupsafe import Markup

    return {"title": panel.title, "note": panel.note, "svg": Markup(panel.inline())}


def reproduce(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """The part on how to run it again, None when the file does not say.

    Args:
      results: with `reproduce`: `{command, versions, python, platform, devices, seeds, commit, started,
        seconds}`, all of them optional; rows with `commands` give those of their runs.
    """
    found = results.get("reproduce")
    if not found:
        return None
    versions = found.get("versions") or results.get("versions") or {}
    seeds, devices = found.get("seeds"), found.get("devices")
    facts = [
        ("Seeds", _seeds(seeds)),
        ("Commit", found.get("commit")),
        ("Python", found.get("python")),
        ("Packages", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("Machine", found.get("platform")),
        ("Devices", ", ".join(map(str, devices)) if isinstance(devices, list | tuple) else devices),
        ("Started", found.get("started")),
        ("Took", duration(found["seconds"]) if finite(found.get("seconds")) else None),
        ("Folder", found.get("workdir")),
    ]
    shown = [(name, str(value)) for name, value in facts if value not in (None, "", [])]
    rows = [results.get("baseline"), *(results.get("techniques") or {}).values()]
    runs = [(row["title"], row["commands"]) for row in rows if row and row.get("commands")]
    return {"command": found.get("command"), "facts": shown, "runs": runs}


def _seeds(seeds: Any) -> str | None:
    if isinstance(seeds, list | tuple):
        return ", ".join(map(str, seeds))
    return None if seeds is None else plain(seeds)


def clean(value: Any) -> Any:
    """The same structure without control characters in its strings, which no XML may hold; newlines stay."""
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, str):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


def write(path: Path, text: str) -> Path:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)
    return path
