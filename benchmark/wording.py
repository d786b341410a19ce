"""Counts, lists and times in running text."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

# Line breaks, control and bidirectional characters, and halves of characters: what is shown differs from what is there.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plural(count: int, noun: str, several: str = "") -> str:
    """Return ``1 cell`` or ``2,000 cells``; ``several`` is the plural of a noun that takes more than an s."""
    return f"{count:,} {form(count, noun, several)}"


def form(count: int, one: str, several: str = "") -> str:
    """Return the word that goes with a count: ``cell`` or ``cells``, ``is`` or ``are`` where these are given."""
    return one if count == 1 else several or f"{one}s"


def enumerated(noun: str, names: Iterable[object]) -> str:
    """Return ``seed 0`` or ``seeds 0, 1``."""
    found = [str(name) for name in names]
    return f"{form(len(found), noun)} {', '.join(found)}"


def listed(words: Iterable[str]) -> str:
    """Return ``a, b and c``."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def gathered(faults: Iterable[str], shown: int = 20) -> list[str]:
    """Return faults, each ``path: reason``, a line each; of many alike one line with the first paths."""
    lines = list(faults)
    if len(lines) <= shown:
        return lines
    alike: dict[str, list[str]] = {}
    for line in lines:
        path, _, reason = line.partition(": ")
        alike.setdefault(reason, []).append(path)
    told = [
        f"{paths[0]}: {reason}"
        if len(paths) == 1
        else f"{plural(len(paths), 'file')}: {reason} The first: {', '.join(paths[:3])}."
        for reason, paths in sorted(alike.items(), key=lambda entry: -len(entry[1]))
    ]
    more = [f"... and {plural(len(told) - shown, 'more fault')}"] if len(told) > shown else []
    return [*told[:shown], *more]


def tally(found: Iterable[str]) -> str:
    """Return ``12 holds, 3 undecided``: how often each occurs, in the order of the first."""
    return ", ".join(f"{count} {word}" for word, count in Counter(found).items())


def escaped(text: str, most: int = 0) -> str:
    """Return a text as one line without control and bidirectional characters, cut to ``most`` characters if given."""
    shown = _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text[: most + 1] if most else text)
    return f"{shown[: most - 3]}..." if most and len(shown) > most else shown


def unprintable(value: object) -> Iterator[str]:
    """Yield, escaped, every text in nested mappings and sequences that is not one line of visible characters."""
    if isinstance(value, str):
        if _UNSEEN.search(value):
            yield f"'{escaped(value, 80)}'"
    elif isinstance(value, Mapping):
        for key, content in value.items():
            yield from (*unprintable(key), *unprintable(content))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from unprintable(one)


def check_lines(*values: object) -> None:
    """Raise ValueError unless every text in some nested values is one line of visible characters."""
    if found := list(dict.fromkeys(unprintable(values))):
        raise ValueError(
            f"{', '.join(found[:5])}: names, labels and titles are one line without control or bidirectional "
            f"characters; remove what stands there as \\n, \\x.. or \\u...."
        )


def duration(seconds: float) -> str:
    """Return ``8 s``, ``12 min``, ``3 h 05 min``: two digits that matter."""
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
