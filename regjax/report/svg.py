"""Small, themed SVG from Matplotlib figures, with titles and unique ids."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from typing import Any

from regjax.report.style import LIGHT, PLACEHOLDER

_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_COLOUR = re.compile("|".join(PLACEHOLDER.values()))
_ROLE = {colour: role for role, colour in PLACEHOLDER.items()}
_DROP = {"metadata", "style"}


def inline_svg(figure: Any, name: str, title: str, description: str) -> str:
    """A figure drawn with the colours of `PLACEHOLDER`, as an `<svg>` element for an HTML page.

    Colours become `var(--role)`, the background is transparent, text stays text in the font of the page, all ids start
    with `name`, and there are a title and a description for screen readers.

    Args:
      figure: a `matplotlib.figure.Figure`.
      name: unique on the page; letters, digits and hyphens.
      title: title of the figure.
      description: description of its content.

    Returns:
      The element as text, which is deterministic.
    """
    root = _parsed(figure, name)
    box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update(
        {
            "viewBox": box,
            "role": "img",
            "aria-labelledby": f"{name}-title",
            "aria-describedby": f"{name}-desc",
        }
    )
    _describe(root, name, title, description)
    return _COLOUR.sub(lambda match: f"var(--{_ROLE[match.group()]})", _text(root))


def standalone_svg(figure: Any, name: str, title: str, description: str) -> str:
    """A figure drawn with the colours of `LIGHT`, as an SVG document with a background."""
    root = _parsed(figure, name)
    width, height = root.attrib["viewBox"].split()[2:]
    root.attrib["xmlns"] = "http://www.w3.org/2000/svg"
    root.attrib["style"] = "font-family: system-ui, 'DejaVu Sans', sans-serif; stroke-linejoin: round"
    ground = {"width": width, "height": height, "style": f"fill: {LIGHT['paper']}"}
    root.insert(0, ET.Element("rect", ground))
    _describe(root, name, title, description)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _text(root) + "\n"


def _parsed(figure: Any, name: str) -> ET.Element:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    root = ET.fromstring(out.getvalue())  # made by Matplotlib, so it is trusted
    _simplify(root)
    referenced = {target for element in root.iter() for target in _targets(element)}
    for element in root.iter():
        identity = element.attrib.pop("id", None)
        if identity in referenced:
            element.attrib["id"] = f"{name}-{identity}"
        for key, value in element.attrib.items():
            if key == "href":
                element.attrib[key] = f"#{name}-{value[1:]}"
            elif "url(#" in value:
                element.attrib[key] = _REFERENCE.sub(lambda m: f"url(#{name}-{m.group(1)})", value)
    _flatten(root)
    return root


def _simplify(element: ET.Element) -> None:
    element.tag = element.tag.rpartition("}")[2]
    element.attrib = {key.rpartition("}")[2]: _short(key, value) for key, value in element.attrib.items()}
    if element.tag == "text":
        style = element.attrib.get("style", "")
        element.attrib["style"] = re.sub(r"font-family: [^;]*; ?", "", style)
        if element.attrib.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
    else:
        element.text = None
    element.tail = None
    for child in list(element):
        _simplify(child)
        if child.tag in _DROP or (child.tag == "defs" and len(child) == 0) or _invisible(child):
            element.remove(child)


def _short(key: str, value: str) -> str:
    value = _NUMBER.sub(lambda match: f"{float(match.group()):.2f}".rstrip("0").rstrip("."), value)
    return " ".join(value.split()) if key == "d" else value


def _invisible(element: ET.Element) -> bool:
    return element.tag == "path" and element.attrib.get("style") == "fill: none"


def _targets(element: ET.Element) -> list[str]:
    targets = [element.attrib["href"][1:]] if "href" in element.attrib else []
    for value in element.attrib.values():
        targets.extend(_REFERENCE.findall(value))
    return targets


def _flatten(element: ET.Element) -> None:
    """Remove groups without attributes, and keep their children."""
    children: list[ET.Element] = []
    for child in element:
        _flatten(child)
        children.extend(list(child) if child.tag == "g" and not child.attrib else [child])
    element[:] = children


def _describe(root: ET.Element, name: str, title: str, description: str) -> None:
    for tag, content in (("desc", description), ("title", title)):
        element = ET.Element(tag, {"id": f"{name}-{tag}"})
        element.text = content
        root.insert(0, element)


def _text(root: ET.Element) -> str:
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)
