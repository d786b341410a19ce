"""A page read back: what travels inside it, and what it shows, place by place. Nothing in it is run or trusted."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

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


class Part(NamedTuple):
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
class Page:
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


def read_page(path: Path) -> Page:
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
    return Page(text, Blocks(blocks), tuple(block.name for block in blocks), found[0], dict(_pictures(text)))


def parts(text: str) -> dict[str, Part]:
    """Return what a page shows by place, blocks left out.

    A place is an element with ``data-at``, whose text is computed, or else the part of a page with that ``id``. Where a
    place occurs twice, the second is numbered.
    """
    reader = _Reader()
    reader.feed(_BLOCK.sub("", text))
    reader.close()
    return reader.parts()


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
        self._open: list[tuple[str, str, bool]] = [("", "page", False)]  # tag, place, whether it is a number's
        self._found: dict[str, tuple[list[str], list[str], bool]] = {"page": ([], [], False)}

    def parts(self) -> dict[str, Part]:
        return {
            place: Part(" ".join("".join(texts).split()), tuple(markup), number)
            for place, (texts, markup, number) in self._found.items()
        }

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        place, number = self._open[-1][1:]
        if "data-at" in given:
            place, number = self._new(str(given["data-at"])), True
        elif "id" in given and not number:
            place = self._new(str(given["id"]))
        self._found.setdefault(place, ([], [], number))[1].append(_tag(tag, attrs))
        if tag not in _VOID:
            self._open.append((tag, place, number))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._found[self._open[-1][1]][1].append(_tag(tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self._found[self._open[-1][1]][1].append(f"</{tag}>")
        if self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        texts, markup, _ = self._found[self._open[-1][1]]
        texts.append(data)
        markup.append(data)

    def handle_comment(self, data: str) -> None:
        self._found[self._open[-1][1]][1].append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self._found[self._open[-1][1]][1].append(f"<!{decl}>")

    def _new(self, place: str) -> str:
        times = 2
        first = place
        while place in self._found:
            place = f"{first} ({times})"
            times += 1
        return place


def _tag(name: str, attrs: list[tuple[str, str | None]]) -> str:
    return f"<{name}{''.join(f' {key}={value!r}' for key, value in attrs)}>"
