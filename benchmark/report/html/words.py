"""Numbers as a page shows them, and the words around them."""

from collections import Counter
from collections.abc import Iterable

from benchmark.report.scores.intervals import Interval
from benchmark.wording import listed

NOTHING = "–"
MINUS = "−"
EXCERPT = 90  # characters of a long text

MARKS = {"reproduced": "✓", "rank only": "≈", "not reproduced": "✗", "undecided": "?"}

# A verdict -> how a sentence says it of one thing, and of several.
FORMS = {
    "reproduced": ("is reproduced", "are reproduced"),
    "holds": ("holds", "hold"),
    "rank only": ("in rank only", "in rank only"),
    "not reproduced": ("is not reproduced", "are not reproduced"),
    "does not hold": ("does not hold", "do not hold"),
    "undecided": ("is undecided", "are undecided"),
    "cannot be judged": ("cannot be judged", "cannot be judged"),
}


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


def sentence(found: Iterable[str]) -> str:
    """Return ``12 hold and 3 are undecided``: how often each verdict occurs, best first, as a sentence goes on."""
    counted = Counter(found)
    order = sorted(counted, key=lambda word: list(FORMS).index(word) if word in FORMS else len(FORMS))
    return listed(f"{counted[word]} {FORMS.get(word, (word, word))[counted[word] > 1]}" for word in order)


def mark(verdict: str) -> str:
    """Return the sign that stands for a verdict on a printed value where there is no room for words."""
    return MARKS.get(verdict, "")


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


def between(shown: str, due: str) -> str:
    """Return ``shows 46.3, the counts give 46.2``; of long texts what is around the first difference."""
    there, here = excerpts(shown, due)
    return f"shows {there!r}, what follows from the counts is {here!r}"


def excerpts(shown: str, due: str) -> tuple[str, str]:
    """Return two texts around their first difference, where they are long."""
    first = max(0, common(shown, due) - EXCERPT // 3) if max(len(shown), len(due)) > EXCERPT else 0
    return _cut(shown, first) or "nothing", _cut(due, first) or "nothing"


def common(one: str, other: str) -> int:
    """Return with how many characters both texts begin."""
    unlike = (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(unlike, min(len(one), len(other)))


def _cut(text: str, first: int) -> str:
    last = first + EXCERPT
    return f"{'…' if first else ''}{text[first:last]}{'…' if len(text) > last else ''}"
