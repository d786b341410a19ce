"""What a page draws: shapes, and what those of a plot say.

Plots of other code may have another size, other margins and other ticks. What they say is read from them as a reader
does it: heights on the scale beside them, places by the nearest label below.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, takewhile
from typing import NamedTuple

from benchmark.report.html.reading import Node

_PAINTED = {"canvas", "embed", "iframe", "img", "meter", "object", "progress", "video"}  # beside svg
_SHAPELESS = ("role", "tabindex", "aria-", "data-")  # beginnings of attributes that change nothing that is drawn
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_STEP = re.compile(f"([ML]){_NUMBER} {_NUMBER}")
_LINE = re.compile(r"(?:[ML]-?[\d.]+ -?[\d.]+)+")
_LEVEL = re.compile(f"M{_NUMBER} {_NUMBER}H{_NUMBER}")
_UPRIGHT = re.compile(f"M{_NUMBER} {_NUMBER}V{_NUMBER}")
_MOVED = re.compile(rf"translate\({_NUMBER} {_NUMBER}\)(?: rotate\(-?\d+\))?")
_ATTRIBUTES = {  # of the elements of a plot; any other could move or hide what it belongs to
    "svg": {"class", "viewbox", "role", "aria-label"},
    "g": {"class"},
    "text": {"class", "x", "y"},
    "text slanted": {"class", "transform"},
    "path": {"class", "d"},
    "path dot": {"class", "d", "transform"},
    "rect": {"class", "x", "y", "width", "height"},
    "circle": {"class", "cx", "cy", "r"},
}
_LABELS = {"text x", "text slanted"}
_FRAME = {"path grid", "path axis", "text y", *_LABELS}
_SLACK = 0.03  # pixels: coordinates have two decimals, and a height is read from three of them

Shape = tuple[str, str, tuple[tuple[str, str | None], ...]]  # tag, class of the group around it, attributes


class Drawing(NamedTuple):
    """A picture of a page, at a place (``reading.nodes``)."""

    place: str
    nodes: tuple[Node, ...]

    @property
    def shapes(self) -> list[Shape]:
        """Every element with what decides how it is drawn; the numbers of a scale are part of that."""
        return [(one.node.text, one.series, tuple(_drawn(one))) for one in _elements(self.nodes)]


class _Element(NamedTuple):
    """An element, the class of the group that it is in, and the text up to the next tag."""

    node: Node
    series: str
    text: str

    @property
    def kind(self) -> str:
        """Tag and class, as in ``text x label``."""
        return f"{self.node.text} {self.node.get('class')}".strip()

    def number(self, name: str) -> float:
        """Return an attribute. Raises ValueError where it is no number."""
        return _number(self.node.get(name))

    def numbers(self, pattern: "re.Pattern[str]", name: str) -> list[float]:
        """Return the numbers in an attribute of a given form. Raises ValueError for one of another form."""
        found = pattern.fullmatch(self.node.get(name))
        if not found:
            raise ValueError(f"it has <{self.kind}> with {name} {self.node.get(name)[:40]!r}")
        return [float(one) for one in found.groups()]


def in_scale(node: Node) -> bool:
    """Whether a node begins a number of a plot's scale."""
    return (node.kind, node.text, node.get("class")) == ("start", "text", "y")


def depths(nodes: Iterable[Node]) -> Iterator[tuple[Node, int]]:
    """Yield nodes, each with the number of pictures around it, its own tag among them."""
    depth = 0
    for node in nodes:
        depth += (node.text, node.kind) == ("svg", "start")
        yield node, depth
        depth = max(0, depth - ((node.text, node.kind) == ("svg", "end")))


def drawings(nodes: Iterable[Node]) -> list[Drawing]:
    """Return what is drawn, in order."""
    found: list[Drawing] = []
    for drawn, run in groupby(depths(nodes), key=lambda one: one[1] > 0):
        inside = [node for node, _ in run]
        if drawn:
            found += [Drawing(picture[0].place, picture) for picture in _pictures(inside)]
        else:
            found += [Drawing(node.place, (node,)) for node in inside if node.kind == "start" and node.text in _PAINTED]
    return found


def _pictures(nodes: Sequence[Node]) -> Iterator[tuple[Node, ...]]:
    """Yield pictures that follow one another, one by one."""
    start = 0
    for i, (node, depth) in enumerate(depths(nodes), 1):
        if depth == 1 and (node.text, node.kind) == ("svg", "end"):
            yield tuple(nodes[start:i])
            start = i
    if start < len(nodes):
        yield tuple(nodes[start:])


def fault(shown: Drawing, due: Drawing) -> str:
    """Return what a drawing says otherwise than another; nothing where both say the same."""
    if shown.shapes == due.shapes:
        return ""
    try:
        (marks, frame, pixel), (due_marks, due_frame, due_pixel) = _read(shown.nodes), _read(due.nodes)
    except ValueError as error:
        return f"is drawn otherwise than by this code, and cannot be read ({error})"
    if [what for what, _, _ in marks] != [what for what, _, _ in due_marks]:
        return "draws other points or bars, or has them elsewhere, than follows from the counts"
    same = frame == due_frame
    slack = 0.0 if same else _SLACK * (pixel + due_pixel)
    for (_, height, left), (_, due_height, due_left) in zip(marks, due_marks, strict=True):
        if abs(height - due_height) > slack:
            return f"draws {height:.2f}, what follows from the counts is {due_height:.2f}"
        if same and left != due_left:
            return f"draws {height:.2f} in another place than this code"
    return ""


def _elements(nodes: Iterable[Node]) -> Iterator[_Element]:
    groups = [""]
    listed = list(nodes)
    for i, node in enumerate(listed, 1):
        if node.text == "g" and node.kind == "start":
            groups.append(node.get("class") or groups[-1])
        elif node.text == "g" and node.kind == "end" and len(groups) > 1:
            groups.pop()
        if node.kind == "start":
            texts = takewhile(lambda one: one.kind not in {"start", "end"}, listed[i:])
            yield _Element(node, groups[-1], "".join(one.text for one in texts))


def _drawn(element: _Element) -> Iterator[tuple[str, str | None]]:
    yield from (one for one in element.node.attributes if not one[0].startswith(_SHAPELESS))
    if in_scale(element.node):
        yield "text", element.text


class _Point(NamedTuple):
    """What a part of an element is, and where: pixels from the left and from the top."""

    what: str
    x: float
    y: float


# What a shape of a plot says: which it is, of which series and over which label; how high it is; pixels from the left.
_Mark = tuple[tuple[str, str, int], float, float]


def _read(nodes: Iterable[Node]) -> tuple[list[_Mark], list[_Point], float]:
    """Return what a plot says. Raises ValueError for a drawing that is none, or that has anything unknown in it.

    Returns:
        marks: its shapes.
        frame: where lines and labels are.
        pixel: the height that one stands for.
    """
    points = [(element, point) for element in _elements(nodes) for point in _points(element)]
    labels = list(dict.fromkeys(point.x for _, point in points if point.what in _LABELS))
    if not labels:
        raise ValueError("nothing is written below it")
    value, pixel = _scale(
        [point.y for _, point in points if point.what == "path grid"],
        [(point.y, _number(element.text)) for element, point in points if point.what == "text y"],
    )
    marks = [
        ((point.what, element.series, _nearest(point.x, labels)), value(point.y), point.x)
        for element, point in points
        if point.what not in _FRAME
    ]
    return marks, [point for _, point in points if point.what in _FRAME], pixel


def _points(one: _Element) -> Iterator[_Point]:
    """Yield the parts of an element that say anything. Raises ValueError for an unknown one."""
    known = _ATTRIBUTES.get(one.kind, _ATTRIBUTES.get(one.node.text, set()))
    if unknown := [name for name, _ in one.node.attributes if name not in known]:
        raise ValueError(f"it has <{one.kind}> with {unknown[0]}")
    match one.kind:
        case "path grid" | "path axis":
            x, y, _ = one.numbers(_LEVEL, "d")
            yield _Point(one.kind, x, y)
        case "text y" | "text x":
            yield _Point(one.kind, one.number("x"), one.number("y"))
        case "text slanted":
            yield _Point(one.kind, *one.numbers(_MOVED, "transform"))
        case "rect bar":
            x, y = one.number("x") + one.number("width") / 2, one.number("y")
            yield from (_Point("top", x, y), _Point("foot", x, y + one.number("height")))
        case "path spread":
            x, low, high = one.numbers(_UPRIGHT, "d")
            yield from (_Point("low", x, low), _Point("high", x, high))
        case "circle seed":
            yield _Point(one.kind, one.number("cx"), one.number("cy"))
        case "path dot":
            yield _Point(one.node.get("d"), *one.numbers(_MOVED, "transform"))
        case "path line" | "path line dashed":
            one.numbers(_LINE, "d")
            for step, x, y in _STEP.findall(one.node.get("d")):
                yield _Point(f"{one.kind} {step}", float(x), float(y))
        case "svg chart" | "title" | "rect apart" | "text unit" | "text x label":
            pass  # texts are compared as such
        case _ if one.node.text != "g":
            raise ValueError(f"it has <{one.kind}>")


def _scale(grid: Sequence[float], numbers: Sequence[tuple[float, float]]) -> tuple[Callable[[float], float], float]:
    """Return what makes values of pixels from the top, and the value of one pixel.

    Args:
        grid: pixels of the lines.
        numbers: pixels and value of the numbers beside them.

    Raises:
        ValueError: the numbers do not stand beside the lines, or are no even scale.
    """
    if len(grid) != len(numbers) or len(grid) < 2 or grid[0] == grid[-1]:
        raise ValueError("it has no scale")
    values = [value for _, value in numbers]
    pixel = (values[-1] - values[0]) / (grid[0] - grid[-1])

    def value(y: float) -> float:
        return values[0] + (grid[0] - y) * pixel

    if any(abs(value(y) - due) > _SLACK * abs(pixel) for y, due in zip(grid, values, strict=True)):
        raise ValueError("its scale is not even")
    lifts = [at - y for (at, _), y in zip(numbers, grid, strict=True)]
    if max(lifts) - min(lifts) > _SLACK:
        raise ValueError("the numbers of its scale are not beside its lines")
    return value, abs(pixel)


def _number(text: str) -> float:
    """Return a number. Raises ValueError for anything else, NaN among it, which no comparison would find."""
    if not re.fullmatch(_NUMBER, text):
        raise ValueError(f"{text[:40]!r} is no number")
    return float(text)


def _nearest(x: float, labels: Sequence[float]) -> int:
    return min(range(len(labels)), key=lambda i: abs(labels[i] - x))
