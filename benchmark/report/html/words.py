"""Numbers as a page shows them, and the words around them."""

from collections import Counter
from collections.abc import Iterable

from benchmark.report.intervals import Interval

NOTHING = "–"
MINUS = "−"


def fixed(number: float | None, decimals: int = 2) -> str:
    """Return ``46.21``, or a dash for no number."""
    return NOTHING if number is None else f"{number:.{decimals}f}".replace("-", MINUS)


def signed(number: float | None) -> str:
    """Return ``+1.20`` or ``−0.35``, or a dash for no number."""
    return NOTHING if number is None else f"{number:+.2f}".replace("-", MINUS)


def exact(number: float | None) -> str:
    """Return what a column is sorted by, empty for no number."""
    return "" if number is None else f"{number:.6f}"


def span(interval: Interval | None) -> str:
    """Return ``45.10 to 47.32``, or a dash for no interval, and for one without width: nothing could vary."""
    if interval is None or interval.low == interval.high:
        return NOTHING
    return f"{fixed(interval.low)} to {fixed(interval.high)}"


def plural(count: int, word: str) -> str:
    """Return ``1 cell`` or ``2 cells``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def tally(found: Iterable[str]) -> str:
    """Return ``12 holds, 3 undecided``: how often each occurs, in the order of the first."""
    return ", ".join(f"{count} {word}" for word, count in Counter(found).items())


def sentence(found: Iterable[str]) -> str:
    """Return ``12 hold and 3 are undecided``: how often each verdict occurs, best first, as a sentence goes on."""
    forms = {
        "reproduced": ("is reproduced", "are reproduced"),
        "holds": ("holds", "hold"),
        "rank only": ("in rank only", "in rank only"),
        "not reproduced": ("is not reproduced", "are not reproduced"),
        "does not hold": ("does not hold", "do not hold"),
        "undecided": ("is undecided", "are undecided"),
        "cannot be judged": ("cannot be judged", "cannot be judged"),
    }
    counted = Counter(found)
    order = sorted(counted, key=lambda word: list(forms).index(word) if word in forms else len(forms))
    return listed(f"{counted[word]} {forms.get(word, (word, word))[counted[word] > 1]}" for word in order)


def listed(words: Iterable[str]) -> str:
    """Return ``a, b and c``."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def mark(verdict: str) -> str:
    """Return the sign that stands for a verdict on a printed value where there is no room for words."""
    return {"reproduced": "✓", "rank only": "≈", "not reproduced": "✗", "undecided": "?"}.get(verdict, "")


def tone(verdict: str) -> str:
    """Return the class of a verdict's badge: what colour it has beside its words."""
    tones = {
        "reproduced": "good",
        "holds": "good",
        "rank only": "fair",
        "not reproduced": "bad",
        "does not hold": "bad",
        "failed": "bad",
        "undecided": "open",
        "partial": "open",
    }
    return tones.get(verdict, "none")
