"""What a page says, one piece after the other: a paragraph, a heading, a cell, a label in a drawing."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from benchmark.report.html.drawings import in_scale
from benchmark.report.html.reading import Node

# Tags within a piece; every other one begins a new piece and ends it.
_INLINE = {"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup"}
_INLINE |= {"circle", "g", "image", "path", "rect", "svg", "use"}  # which have no text of their own
_CELLS = {"td", "text", "title"}
_SPOKEN = {"alt", "aria-label", "content", "data-tools", "label", "placeholder", "start", "value"}
_BREAK = "\x1f"  # between the texts of two tags; whitespace to Python, but not to a reader
_JOINED = re.compile(rf"(?<=[\d.,]){_BREAK}+(?=[\d.,])")


class Unit(NamedTuple):
    """A piece of what a page says.

    Attributes:
        place: where it stands (``reading.nodes``).
        number: whether the place is one whose text is computed from the counts.
        cell: whether it is a value rather than a sentence: of a table, or of a drawing.
        text: blanks joined.
        sorts: what its column is sorted by, in its place.
    """

    place: str
    number: bool
    cell: bool
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
    for node in nodes:
        breaks = node.kind in {"start", "end"} and node.text not in _INLINE
        if piece and (breaks or node.place != piece[-1].place):
            yield piece
            piece = []
        piece.append(node)
    if piece:
        yield piece


def _said(piece: list[Node]) -> Iterator[Unit]:
    first = piece[0]
    for node in piece:
        for name, value in node.attributes:
            if name in _SPOKEN and value and node.get("name") != "sha256" and not node.get("http-equiv"):
                yield Unit(node.place, number=False, cell=False, text=" ".join(value.split()))
    text = "".join(one.text if one.kind in {"text", "other"} else _BREAK for one in piece if one.kind != "code")
    sorts = tuple(_number(value) for node in piece if (value := node.get("data-v")))
    said = " ".join(_JOINED.sub("", text).split())
    cell = first.kind == "start" and (first.text in _CELLS or first.get("scope") == "row")
    if (said or sorts) and not in_scale(first):
        yield Unit(first.place, first.number, cell, said, sorts)


def _number(text: str) -> float:
    """Return what a column is sorted by, NaN for what is no number."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
