"""Whether what a page of other code says is what follows from its counts, however it words it."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any, NamedTuple, TypeVar, get_args

from benchmark.report.html.content import Content
from benchmark.report.html.facts import Fact, Vocabulary, agree
from benchmark.report.html.units import Unit
from benchmark.report.html.words import FORMS, MARKS, between, common, excerpts
from benchmark.report.scores.estimates import Status
from benchmark.sharing.description import State

_DIGITS = re.compile(r"\d+(?:,\d+)*")

T = TypeVar("T")
Aligned = tuple[Sequence[T], Sequence[T]]  # what is shown, and what is due


class Vocabularies(NamedTuple):
    """The words that are facts: labels, verdicts, and how something stands, which a sentence may leave unsaid."""

    sentences: Vocabulary
    cells: Vocabulary


def vocabularies(content: Content) -> Vocabularies:
    """Return the words that are facts in the page of a run."""
    rows = [row for table in content.tables for row in table.rows]
    columns = [column for table in content.tables for column in table.columns]
    labels = {*(row.label for row in rows), *(row.curve for row in rows), *(column.label for column in columns)}
    steps = {word for row in rows for word in (row.step, *row.step.split())}  # which a plot may break into lines
    states = {*get_args(Status), *get_args(State)}
    signs = set(MARKS.values())
    sentences = _themselves(states | labels | signs - {"?"}) | _verdicts()
    cells = _themselves(steps | signs | {"not comparable", "no printed value"}) | sentences
    return Vocabularies(Vocabulary(sentences, states - labels), Vocabulary(cells))


class Texts:
    """Compares what two pages say, and keeps what is wrong and what is worded differently.

    Attributes:
        faults: what is wrong, a line each.
    """

    def __init__(self, content: Content) -> None:
        self.faults: list[str] = []
        self._vocabularies = vocabularies(content)
        self._known = frozenset(_strings(content.model_dump()))  # facts where one is all that is said
        self._reworded: dict[tuple[str, str], list[str]] = {}  # in what two wordings differ -> where

    def compare(self, shown: Sequence[Unit], due: Sequence[Unit]) -> None:
        """Compare what a page says with what it should say."""
        for there, here in _aligned(shown, due):
            if len(there) == len(here) == 1 and _comparable(there[0], here[0]):
                self._compare(there[0], here[0])
            else:
                self._compare_several(there, here)

    @property
    def remarks(self) -> list[str]:
        """What is worded differently: each way once, with the first place where it is."""
        return [
            f"worded differently in {first if not more else f'{len(more) + 1} places, one is {first}'}"
            for first, *more in self._reworded.values()
        ]

    def _compare(self, shown: Unit, due: Unit) -> None:
        if shown.text != due.text:
            if due.text not in self._known and self._agree([shown], [due]):
                self._keep(due.place, shown.text, due.text)
            else:
                self.faults.append(f"{due.place}: {between(shown.text, due.text)}")
        if shown.sorts and shown.sorts != due.sorts:
            self.faults.append(f"{due.place}: is sorted by {shown.sorts[0]:g}, not by what follows from the counts")

    def _compare_several(self, shown: Sequence[Unit], due: Sequence[Unit]) -> None:
        """Compare pieces that do not stand one for another: sentences may be told apart in another way."""
        there, here = (" ".join(unit.text for unit in several) for several in (shown, due))
        if shown and due and not any(unit.number or unit.cell for unit in (*shown, *due)) and self._agree(shown, due):
            self._keep(due[0].place, there, here)
            return
        for unit in due:
            if unit.number or unit.cell or unit.text in self._known or not agree([], self._facts(unit)):
                self.faults.append(f"{unit.place}: {excerpts(unit.text, '')[0]!r} is missing")
            else:
                self._keep(unit.place, "", unit.text)
        for unit in shown:
            if unit.number or unit.cell or unit.sorts or self._facts(unit):
                self.faults.append(f"{unit.place}: {excerpts(unit.text, '')[0]!r} should not be there")
            else:
                self._keep(unit.place, unit.text, "")

    def _agree(self, shown: Sequence[Unit], due: Sequence[Unit]) -> bool:
        """Whether some pieces say the facts that others say, in the same order, and hide no characters."""
        there, here = ([fact for unit in several for fact in self._facts(unit)] for several in (shown, due))
        hidden, usual = ({one for unit in several for one in _unseen(unit.text)} for several in (shown, due))
        return hidden <= usual and agree(there, here, _exact(due, here))

    def _facts(self, unit: Unit) -> list[Fact]:
        return (self._vocabularies.cells if unit.value else self._vocabularies.sentences).facts(unit.text)

    def _keep(self, place: str, shown: str, due: str) -> None:
        there, here = excerpts(shown, due)
        words = f"{place}: says {there!r}, this code {here!r}"
        self._reworded.setdefault(_way(shown, due), []).append(words)


def _way(shown: str, due: str) -> tuple[str, str]:
    """Return in what two wordings differ whatever they say: without digits, and without what they have in common."""
    there, here = (_DIGITS.sub("#", text) for text in (shown, due))
    first = common(there, here)
    last = common(there[first:][::-1], here[first:][::-1])
    return there[first : len(there) - last], here[first : len(here) - last]


def _themselves(words: Iterable[str]) -> dict[str, str]:
    return {word: word for word in words}


def _verdicts() -> dict[str, str]:
    """Return every form of a verdict, without the verb ``to be``."""
    forms = [(form, verdict) for verdict, several in FORMS.items() for form in (verdict, *several)]
    return {form.removeprefix("is ").removeprefix("are "): verdict for form, verdict in forms}


def _comparable(one: Unit, other: Unit) -> bool:
    """Whether one piece may stand for another: both are cells or none is, and a number stays in its place."""
    return one.cell is other.cell and (one.place == other.place or not (one.number or other.number))


def _exact(due: Sequence[Unit], facts: Sequence[Fact]) -> float | None:
    """Return the number behind the only one that is said, where its column is sorted by it."""
    numbers = [fact for fact in facts if fact.value is not None]
    if len(numbers) != 1 or len(due) != 1 or len(due[0].sorts) != 1:
        return None
    return due[0].sorts[0] if numbers[0].rounds(due[0].sorts[0]) else None


def _unseen(text: str) -> Iterator[str]:
    """Yield the characters that show nothing themselves, and may change how others are shown."""
    return (one for one in text if unicodedata.category(one) == "Cf")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (one for each in value.values() for one in _strings(each))
    elif isinstance(value, list | tuple):
        yield from (one for each in value for one in _strings(each))


def _aligned(shown: Sequence[Unit], due: Sequence[Unit]) -> Iterator[Aligned[Unit]]:
    """Yield which pieces stand for which: one for one where that can be, else several for several.

    Places come in the same order in both pages, so that no number moves to another label; within a place, and where
    places differ, texts tell.
    """
    there, here = ([list(run) for _, run in groupby(units, key=lambda unit: unit.place)] for units in (shown, due))
    for some, others in _matched(there, here, lambda run: run[0].place):
        if [run[0].place for run in some] == [run[0].place for run in others]:
            for run, other in zip(some, others, strict=True):
                yield from _one_by_one(run, other)
        else:
            yield from _one_by_one(*([unit for run in runs for unit in run] for runs in (some, others)))


def _one_by_one(shown: Sequence[Unit], due: Sequence[Unit]) -> Iterator[Aligned[Unit]]:
    if len(shown) == len(due):
        yield from (([one], [other]) for one, other in zip(shown, due, strict=True))
        return
    for some, others in _matched(shown, due, lambda unit: unit.place if unit.number else unit.text):
        if len(some) == len(others):
            yield from (([one], [other]) for one, other in zip(some, others, strict=True))
        else:
            yield some, others


def _matched(shown: Sequence[T], due: Sequence[T], key: Callable[[T], str]) -> Iterator[Aligned[T]]:
    """Yield the longest common stretches of two sequences, and in their order what lies between them."""
    there, here = ([key(one) for one in several] for several in (shown, due))
    if there == here:
        yield shown, due
        return
    for _, a, b, c, d in SequenceMatcher(None, there, here, autojunk=False).get_opcodes():
        yield shown[a:b], due[c:d]
