"""What a page says, one piece after the other: a paragraph, a heading, a cell, a label in a drawing."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from benchmark.report.html.drawings import depths, in_scale
from benchmark.report.html.reading import Node

# Tags within a piece; every other one begins a new piece and ends it.
_INLINE = {"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup"}
_INLINE |= {"circle", "g", "image", "path", "rect", "svg", "use"}  # which have no text of their own
_CELLS = {"td", "th"}
_SPOKEN = {"alt", "aria-label", "content", "data-tools", "label", "placeholder", "start", "value"}
_BREAK = "\x1f"  # between the texts of two tags; whitespace to Python, but not to a reader
_JOINED = re.compile(rf"(?<=[\d.,]){_BREAK}+(?=[\d.,])")


class Unit(NamedTuple):
    """A piece of what a page says.

    Attributes:
        place: where it stands (``reading.nodes``).
        number: whether the place is one whose text is computed from the counts.
        cell: whether it is in a cell of a table, which may be empty.
        value: whether it is a value rather than words: in the body of a table, or in a drawing.
        text: blanks joined.
        sorts: what its column is sorted by, in its place.
    """

    place: str
    number: bool
    cell: bool
    value: bool
    text: str
    sorts: tuple[float, ...] = ()


def units(nodes: Iterable[Node]) -> list[Unit]:
    """Return all that is said, in order: texts, comments, and attributes that are read out or shown.

    The numbers of a plot's scale are left out: they are part of the drawing.
    """
    return [unit for piece in _pieces(nodes) for unit in _said(piece)]


def _pieces(nodes: Iterable[Node]) -> Iterator[list[Node]]:
    """Yield nodes up to the next tag that begins or ends a piece, or the next place."""
    piece: list[Node] = []
    scale = False
    for node, depth in depths(nodes):
        breaks = node.kind in {"start", "end"} and node.text not in _INLINE
        if piece and (breaks or node.place != piece[-1].place):
            if not scale:
                yield piece
            piece = []
        scale = (scale and bool(piece)) or (depth > 0 and in_scale(node))
        piece.append(node)
    if piece and not scale:
        yield piece


def _said(piece: list[Node]) -> Iterator[Unit]:
    first = piece[0]
    for node in piece:
        for name, value in node.attributes:
            if name in _SPOKEN and value and not _unspoken(node):
                yield Unit(node.place, number=False, cell=False, value=False, text=" ".join(value.split()))
    text = "".join(one.text if one.kind in {"text", "other"} else _BREAK for one in piece if one.kind != "code")
    unit = Unit(
        place=first.place,
        number=first.number,
        cell=first.kind == "start" and first.text in _CELLS,
        value=first.kind == "start" and (first.text in {"td", "text", "title"} or first.get("scope") == "row"),
        text=" ".join(_JOINED.sub("", text).split()),
        sorts=tuple(_number(value) for node in piece if (value := node.get("data-v"))),
    )
    if unit.text or unit.sorts or unit.cell:
        yield unit


def _unspoken(node: Node) -> bool:
    """Whether what a tag says is checked elsewhere: the seal, and the policy."""
    return node.text == "meta" and (node.get("name") == "sha256" or bool(node.get("http-equiv")))


def _number(text: str) -> float:
    """Return what a column is sorted by, NaN for what is no number."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
