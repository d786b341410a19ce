"""A page read back: what travels inside it, and what it shows, place by place. Nothing in it is run or trusted."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal, NamedTuple

from benchmark.errors import BenchmarkError
from benchmark.report.html.blocks import Block, Blocks
from benchmark.report.html.content import Content

_BLOCK = re.compile(
    r'<script type="application/octet-stream" class="block" id="b-([0-9a-f]{64})" data-bytes="([0-9]{1,12})">'
    r"([A-Za-z0-9+/=]*)</script>\n"
)
_DESCRIPTION = re.compile(r'<meta name="description-block" content="([0-9a-f]{64})">')
_PICTURE = re.compile(r'href="data:image/png;base64,([A-Za-z0-9+/=]*)"')
_VOID = {"meta", "br", "hr", "img", "input", "link", "col", "wbr"}


class Node(NamedTuple):
    """A tag, a text, or whatever else stands in a page.

    Attributes:
        place: where it stands (``nodes``).
        number: whether the place is one whose text is computed from the counts.
        kind: ``code`` is the text of scripts and styles, ``other`` a comment or the like, which is not shown.
        text: a tag's name, or the text.
        attributes: of a start tag.
    """

    place: str
    number: bool
    kind: Literal["start", "end", "text", "code", "other"]
    text: str
    attributes: tuple[tuple[str, str | None], ...] = ()

    @property
    def markup(self) -> str:
        """The node much as it is written."""
        if self.kind == "start":
            return f"<{self.text}{''.join(f' {key}={value!r}' for key, value in self.attributes)}>"
        return {"end": f"</{self.text}>", "other": f"<!{self.text}>"}.get(self.kind, self.text)

    def get(self, name: str) -> str:
        """Return an attribute, empty where there is none."""
        return next((value or "" for key, value in self.attributes if key == name), "")


class Passage(NamedTuple):
    """What stands at one place of a page.

    Attributes:
        text: what a reader sees there, blanks joined.
        markup: tags with their attributes and all texts, in order.
        number: whether the place is one whose text is computed from the counts.
    """

    text: str
    markup: tuple[str, ...]
    number: bool


@dataclass(frozen=True)
class ReportFile:
    """A page as it lies in a file.

    Attributes:
        text: all of it.
        blocks: what travels inside.
        names: of the blocks as they stand in the file.
        description: name of the block that describes the rest.
        pictures: SHA-256 of a PNG file -> the file in base64.
    """

    text: str
    blocks: Blocks
    names: tuple[str, ...]
    description: str
    pictures: Mapping[str, str]

    @property
    def content(self) -> Content:
        """The description. Raises BenchmarkError where it is missing or damaged, or made by another format."""
        return Content.read(self.blocks[self.description])


def read_page(path: Path) -> ReportFile:
    """Read a page. Raises BenchmarkError for a file that cannot be read and for one that is no page of ours."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{path} is no report: it is not UTF-8 text. `report` writes one.") from error
    found = _DESCRIPTION.findall(text)
    if len(found) != 1:
        raise BenchmarkError(f"{path} is no report: it names no description of what is inside. `report` writes one.")
    blocks = [Block(name, int(size), packed) for name, size, packed in _BLOCK.findall(text)]
    return ReportFile(text, Blocks(blocks), tuple(block.name for block in blocks), found[0], dict(_pictures(text)))


def without_blocks(text: str) -> str:
    """Return a page without what travels inside it, which its digests speak for."""
    return _BLOCK.sub("", text)


def nodes(text: str) -> list[Node]:
    """Return what a page consists of, in order, blocks left out.

    A place is an element with ``data-at``, whose text is computed, or else the part of a page with that ``id``. Where a
    place occurs twice, the second is numbered.
    """
    reader = _Reader()
    reader.feed(without_blocks(text))
    reader.close()
    return reader.nodes


def parts(text: str) -> dict[str, Passage]:
    """Return what a page shows by place, blocks left out."""
    found: dict[str, list[Node]] = {"page": []}
    for node in nodes(text):
        found.setdefault(node.place, []).append(node)
    return {place: _part(standing) for place, standing in found.items()}


def _part(standing: list[Node]) -> Passage:
    text = "".join(node.text for node in standing if node.kind in {"text", "code"})
    return Passage(
        " ".join(text.split()), tuple(node.markup for node in standing), any(node.number for node in standing)
    )


def _pictures(text: str) -> Iterator[tuple[str, str]]:
    for packed in _PICTURE.findall(text):
        try:
            yield hashlib.sha256(base64.b64decode(packed, validate=True)).hexdigest(), packed
        except binascii.Error:
            continue  # no name fits it, so it is missing


class _Reader(HTMLParser):
    """Gives every tag and text to the innermost place that it stands in."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.nodes: list[Node] = []
        self._open: list[tuple[str, str, bool]] = [("", "page", False)]  # tag, place, whether it is a number's
        self._places = {"page"}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        place, number = self._open[-1][1:]
        if "data-at" in given:
            place, number = self._new(str(given["data-at"])), True
        elif "id" in given and not number:
            place = self._new(str(given["id"]))
        self.nodes.append(Node(place, number, "start", tag, tuple(attrs)))
        if tag not in _VOID:
            self._open.append((tag, place, number))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add("start", tag, tuple(attrs))

    def handle_endtag(self, tag: str) -> None:
        self._add("end", tag)
        if self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._add("code" if self.cdata_elem else "text", data)

    def handle_comment(self, data: str) -> None:
        self._add("other", data)

    def handle_decl(self, decl: str) -> None:
        self._add("other", decl)

    def handle_pi(self, data: str) -> None:
        self._add("other", data)

    def unknown_decl(self, data: str) -> None:
        self._add("other", data)

    def _add(
        self,
        kind: Literal["start", "end", "text", "code", "other"],
        text: str,
        attributes: tuple[tuple[str, str | None], ...] = (),
    ) -> None:
        _, place, number = self._open[-1]
        self.nodes.append(Node(place, number, kind, text, attributes))

    def _new(self, place: str) -> str:
        times = 2
        first = place
        while place in self._places:
            place = f"{first} ({times})"
            times += 1
        self._places.add(place)
        return place
