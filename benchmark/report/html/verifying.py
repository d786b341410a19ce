"""Whether a page says what follows from the counts inside it, and whether these are what their digests say.

The page is made again from what travels inside it, and compared with what is shown place by place. What is wrong is
named; the seal (the digest of the whole file) finds what nothing else would.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.metrics import EVALUATOR_VERSION
from benchmark.report.html.comparing import Wording, reworded, unlike
from benchmark.report.html.content import Content, maker
from benchmark.report.html.packing import restore
from benchmark.report.html.page import render
from benchmark.report.html.reading import ReportFile, parts, read_page
from benchmark.report.html.sealing import digest, sealed_with
from benchmark.sharing.restoring import broken_keys
from benchmark.wording import plural

NOT_COMPUTED = "nothing was computed again, because what it would be computed from is damaged"


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        checked: what was looked at, a line each.
        faults: what is wrong, a line each; empty where the page is sound.
        remarks: what could not be looked at, and what is only worded differently.
    """

    checked: tuple[str, ...]
    faults: tuple[str, ...]
    remarks: tuple[str, ...]


def verify(path: Path) -> Verification:
    """Check a page. Raises BenchmarkError for a file that is no page, or one that this version cannot read."""
    page = read_page(path)
    if fault := _fault(page, page.description):
        return Verification((), (f"description: {fault}", *_seal(page)), (NOT_COMPUTED,))
    content = page.content
    if content.evaluator != EVALUATOR_VERSION:
        raise BenchmarkError(
            f"{path} holds counts of evaluator version {content.evaluator}, this is version {EVALUATOR_VERSION}; "
            f"verify it with version {content.software} of the software."
        )
    unsound = [*_blocks(page, content), *broken_keys(content)]
    shown = Wording((), (NOT_COMPUTED,)) if unsound else _compared(page, content)
    faults = (*shown.faults, *unsound, *_pictures(page, content), *_seal(page))
    return Verification(tuple(_checked(page, content)), faults, shown.remarks)


def _checked(page: ReportFile, content: Content) -> Iterator[str]:
    numbers = [part for part in parts(page.text).values() if part.number and re.search(r"\d", part.text)]
    evaluations = plural(len(content.counts), "evaluation")
    yield f"{plural(len(numbers), 'place')} with numbers, computed again from the counts of {evaluations}"
    yield f"{plural(len(page.names), 'digest')} of counts and description"
    yield f"{plural(len(content.stages), 'key')} of stages, from their parameters and inputs"
    if content.grids:
        yield f"{plural(len(_named_pictures(content)), 'digest')} of pictures"
    yield "the digest of the whole file"


def _seal(page: ReportFile) -> Iterator[str]:
    if sealed_with(page.text) != digest(page.text):
        yield "the file: its SHA-256 is not the one that it was sealed with, so something in it was changed"


def _blocks(page: ReportFile, content: Content) -> Iterator[str]:
    """Yield which blocks are missing or damaged, and whose they are; and which a browser could take for others."""
    users = _users(content)
    for name, user in users.items():
        if fault := _fault(page, name):
            yield f"{user}: {fault}"
    for name, times in Counter(page.names).items():
        if times > 1 or name not in {*users, page.description}:
            yield f"block {name[:12]} {'is there twice' if times > 1 else 'belongs to nothing'}"


def _fault(page: ReportFile, block: str) -> str:
    """Return what is wrong with a block, nothing where it is sound."""
    try:
        _ = page.blocks[block]
    except BenchmarkError as error:
        return str(error)
    return ""


def _users(content: Content) -> Mapping[str, str]:
    """Return the name of every block that counts need, and what it belongs to."""
    users: dict[str, str] = {}
    for key, packed in content.counts.items():
        for name in (packed.images, packed.truth, packed.ignored):
            users[name] = "counts of several evaluations"
        users[packed.errors] = f"counts of {content.stages[key].name} ({key[:12]})"
    return users


def _pictures(page: ReportFile, content: Content) -> Iterator[str]:
    missing = _named_pictures(content) - set(page.pictures)
    if missing:
        names = ", ".join(sorted(name[:12] for name in missing))
        yield f"pictures: {plural(len(missing), 'picture')} of those named are not in the file ({names})"


def _named_pictures(content: Content) -> set[str]:
    pictures = [one for grid in content.grids for one in grid.pictures]
    return {
        name
        for one in pictures
        for name in (one.image, one.truth, one.parts, *(label for label in one.labels if label is not None))
    }


def _compared(page: ReportFile, content: Content) -> Wording:
    """Make the page again from its counts, and say what it shows otherwise."""
    with tempfile.TemporaryDirectory(prefix="verify.") as folder:
        plan, store = restore(content, page.blocks, Path(folder))
        due = render(content, plan, store, dict(page.pictures), page.description, ())
    if content.maker == maker():
        return Wording(tuple(unlike(page.text, due)), ())
    other = (
        f"the page was made by other code than this (version {content.software}), so that its words may be others; "
        f"numbers, names, verdicts and drawings were compared"
    )
    found = reworded(page.text, due, content)
    return Wording(found.faults, (other, *found.remarks))
