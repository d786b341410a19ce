"""What a text says, apart from how it says it: its numbers, durations, names and identifiers, in their order.

``3 min``, ``182 s`` and ``0:03:02`` are one fact in three wordings. Everything between facts is wording.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_AMOUNT = r"\d+(?:,\d{3})*(?:\.\d+)?"
_UNIT = r"ms|d(?:ays?)?|h(?:(?:ou)?rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?"
_TIME = rf"{_AMOUNT}\s?(?:{_UNIT})(?![^\W\d])"
_PATTERNS = {
    "times": rf"(?<![\w.,:]){_TIME}(?:(?:,?\s|\sand\s)?{_TIME})*",
    "clock": r"(?<![\w.,:])\d+:[0-5]\d:[0-5]\d(?:\.\d+)?(?![\w:])",
    "number": rf"(?<![\w.])[+−-]?{_AMOUNT}(?!\w|[.,:/-]\d)",
    "word": r"\w(?:[\w.:/@+*-]*\w)?",
}
_PART = re.compile(rf"({_AMOUNT})\s?({_UNIT})")
_DIGIT = re.compile(r"\d")
_NEAR = 1e-6  # what numbers are written down to where they are written unrounded


class Fact(NamedTuple):
    """One thing that a text says.

    Attributes:
        text: as it stands there; of names, what they stand for.
        start, end: of it in the text.
        value: of a number, of a duration in seconds; ``None`` for anything else.
        step: unit of the last digit that is shown.
        duration: whether it is one.
        optional: whether it may go without saying; what it may not be is something else.
    """

    text: str
    start: int
    end: int
    value: float | None = None
    step: float = 0.0
    duration: bool = False
    optional: bool = False

    def follows(self, due: "Fact", exact: float | None = None) -> bool:
        """Return whether this says what ``due`` says, to the precision that both show.

        Args:
            due: what should stand here.
            exact: the number behind it, where that is known: this must be it, rounded to the digits that it shows.
        """
        if self.value is None or due.value is None:
            return self.value is due.value and self.text == due.text
        if self.duration is not due.duration:
            return False
        if self.step == due.step:
            return abs(self.value - due.value) <= _NEAR
        if exact is not None:
            return self.rounds(exact)
        return abs(self.value - due.value) <= max(self.step, due.step) / 2 + _NEAR

    def rounds(self, exact: float) -> bool:
        """Return whether this is a number, rounded to the digits that it shows."""
        return self.value is not None and abs(self.value - exact) <= self.step / 2 + _NEAR


def agree(shown: Sequence[Fact], due: Sequence[Fact], exact: float | None = None) -> bool:
    """Return whether facts follow from those that are due, in the same order; ``exact`` is the one number of these."""
    rest = list(shown)
    for fact in due:
        if rest and rest[0].follows(fact, exact):
            rest.pop(0)
        elif not fact.optional:
            return False
    return not rest


class Vocabulary:
    """The words that are facts.

    Args:
        names: word -> what it stands for.
        optional: those of them that may go without saying.
    """

    def __init__(self, names: Mapping[str, str], optional: Collection[str] = ()) -> None:
        self._optional = frozenset(optional)
        self._names = {name: meaning for name, meaning in names.items() if name and not _is_number(name)}
        longest = sorted(self._names, key=len, reverse=True)
        known = {"name": rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)"} if longest else {}
        patterns = {**known, **_PATTERNS}
        self._pattern = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in patterns.items()))

    def facts(self, text: str) -> list[Fact]:
        """Return what a text says, in order."""
        return [fact for found in self._pattern.finditer(text) for fact in self._read(found)]

    def _read(self, found: "re.Match[str]") -> Iterator[Fact]:
        text, start, end = found.group(), found.start(), found.end()
        if found.lastgroup == "name":
            yield Fact(self._names[text], start, end, optional=text in self._optional)
        elif found.lastgroup == "times":
            yield from _durations(_PART.finditer(text), text, start)
        elif found.lastgroup == "clock":
            hours, minutes, seconds = text.split(":")
            value = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
            yield Fact(text, start, end, value, _step(seconds), duration=True)
        elif found.lastgroup == "number":
            yield Fact(text, start, end, _value(text), _step(text))
        elif _DIGIT.search(text):
            yield Fact(text, start, end)


def _durations(parts: "Iterable[re.Match[str]]", text: str, start: int) -> Iterator[Fact]:
    """Yield ``2 h 05 min`` as one duration, ``2 s, 3 s`` as two: parts of one are of ever smaller units."""
    run: list[re.Match[str]] = []
    for part in parts:
        if run and _unit(part) >= _unit(run[-1]):
            yield _duration(run, text, start)
            run = []
        run.append(part)
    yield _duration(run, text, start)


def _duration(run: "list[re.Match[str]]", text: str, start: int) -> Fact:
    first, last = run[0].start(), run[-1].end()
    value = sum(_value(part[1]) * _unit(part) for part in run)
    step = _step(run[-1][1]) * _unit(run[-1])
    return Fact(text[first:last], start + first, start + last, value, step, duration=True)


def _unit(part: "re.Match[str]") -> float:
    """Return the unit of a part of a duration in seconds."""
    return _SECONDS["ms" if part[2] == "ms" else part[2][0]]


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def _step(text: str) -> float:
    """Return the unit of the last digit of a number."""
    return 10.0 ** -len(text.partition(".")[2])


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(rf"[+−-]?{_AMOUNT}", text))
