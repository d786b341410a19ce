"""What a page shows, against what follows from the counts inside it.

A page of the same code is that to the last character. One of other code may say it in other words and look otherwise,
but its numbers, names, verdicts and drawings are those that follow, in their order, to the digits that it shows.
Whatever it words otherwise is told, so that a reader can judge it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from benchmark.report.html.content import Content
from benchmark.report.html.drawings import Drawing, drawings, fault
from benchmark.report.html.reading import Node, Passage, nodes, parts, without_blocks
from benchmark.report.html.scripts import unknown_code
from benchmark.report.html.sealing import unsealed
from benchmark.report.html.texts import Texts
from benchmark.report.html.units import units
from benchmark.report.html.words import between
from benchmark.wording import plural

NAMED = 3  # places, before the rest is counted


class Wording(NamedTuple):
    """A page of other code: what is wrong, and what it only says or draws in another way."""

    faults: tuple[str, ...]
    remarks: tuple[str, ...]


def unlike(shown: str, due: str) -> Iterator[str]:
    """Yield where a page is not to the last character what it should be, blocks and seals apart."""
    shown, due = (unsealed(without_blocks(text)) for text in (shown, due))
    there, here = parts(shown), parts(due)
    faults = [
        one for place in dict.fromkeys([*here, *there]) for one in _unlike(place, there.get(place), here.get(place))
    ]
    yield from faults or (["the file: is written otherwise than this code writes it"] if shown != due else [])


def reworded(shown: str, due: str, content: Content) -> Wording:
    """Compare a page of other code with what this code makes of its content."""
    there, here = (nodes(unsealed(text)) for text in (shown, due))
    texts = Texts(content)
    texts.compare(units(there), units(here))
    drawn = [*_drawn(drawings(there), drawings(here))]
    look = _look(there, here)
    return Wording((*texts.faults, *drawn, *unknown_code(there)), (*texts.remarks, *look))


def _unlike(place: str, shown: Passage | None, due: Passage | None) -> Iterator[str]:
    """Yield what is wrong with a place; its text comes before its tags."""
    if shown is None or due is None:
        yield f"{place}: {'is missing' if shown is None else 'should not be there'}"
    elif shown.text != due.text:
        yield f"{place}: {between(shown.text, due.text)}"
    elif shown.markup != due.markup:
        pairs = zip_longest(shown.markup, due.markup, fillvalue="")
        yield f"{place}: {between(*next((one, other) for one, other in pairs if one != other))}"


def _drawn(shown: Sequence[Drawing], due: Sequence[Drawing]) -> Iterator[str]:
    """Yield what is drawn otherwise than follows from the counts."""
    for there, here in zip_longest(shown, due):
        if there is None or here is None:
            yield f"{(there or here).place}: a drawing {'is missing' if there is None else 'should not be there'}"
        elif wrong := fault(there, here):
            yield f"{here.place}: {wrong}"


def _look(shown: Sequence[Node], due: Sequence[Node]) -> Iterator[str]:
    """Yield which places may look otherwise, because their tags or what belongs to these differ."""
    there, here = _tags(shown), _tags(due)
    places = [place for place in dict.fromkeys([*here, *there]) if there.get(place) != here.get(place)]
    if places:
        more = f" and {plural(len(places) - NAMED, 'place')} more" if len(places) > NAMED else ""
        yield f"may look otherwise, as the tags are others: {'; '.join(places[:NAMED])}{more}"


def _tags(page: Sequence[Node]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in page:
        if node.kind == "start":
            found.setdefault(node.place, []).append(node.markup)
    return found
