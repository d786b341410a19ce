"""Where the lines of a page of classes go: columns, names, title, legend and remarks.

Lengths are inches. The lines of many classes go on in columns side by side, all with the same axis.
"""

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from benchmark.report.plots import theme
from benchmark.report.plots.series import heading
from benchmark.report.scores.classes import ClassPage, ClassRow
from benchmark.wording import plural

Group = Literal["novel", "base"]

PAD, GAP = 0.18, 0.22  # around the page, between columns
LONGEST = 24  # characters of a name; of a longer one the first synonyms are shown


@dataclass(frozen=True)
class Look:
    """Sizes of a page.

    Attributes:
        most: lines that it is meant for.
        columns: side by side.
        width: of the page.
        line: height of a line.
        text, mark: points; the mark of a mean is larger.
    """

    most: float
    columns: int
    width: float
    line: float
    text: float
    mark: float


LOOKS = (
    Look(most=36, columns=1, width=7.4, line=0.24, text=9.5, mark=5.0),
    Look(most=80, columns=2, width=7.6, line=0.18, text=8.0, mark=3.8),
    Look(most=math.inf, columns=3, width=8.0, line=0.15, text=6.8, mark=3.0),
)


class Line(NamedTuple):
    """A line of a column: a heading, the mean of a group, a class by its id, or an empty one."""

    group: Group
    text: str = ""
    kind: Literal["heading", "mean", "class", "gap"] = "gap"
    one: int = -1


@dataclass(frozen=True)
class ClassLayout:
    """Where everything goes on a page.

    Attributes:
        look: sizes.
        columns: the lines of each.
        names: width of the names left of an axes.
        across: entries of the legend side by side.
        entries: lines of the legend.
        title, said: lines of the title and of the remarks.
    """

    look: Look
    columns: tuple[tuple[Line, ...], ...]
    names: float
    across: int
    entries: int
    title: tuple[str, ...]
    said: tuple[str, ...]

    @property
    def em(self) -> float:
        """Height of the letters."""
        return self.look.text / 72

    @property
    def lines(self) -> int:
        return max(map(len, self.columns))

    @property
    def wide(self) -> float:
        """Width of a column."""
        return (self.look.width - 2 * PAD - GAP * (len(self.columns) - 1)) / len(self.columns)

    @property
    def legend(self) -> float:
        """Lower end of the legend."""
        return PAD + 1.35 * self.em * len(self.said) + 0.5 * self.em

    @property
    def bottom(self) -> float:
        """Lower end of the axes."""
        return self.legend + 1.5 * self.em * self.entries + 3.4 * self.em

    @property
    def height(self) -> float:
        return self.bottom + self.look.line * self.lines + (2.1 + 1.5 * len(self.title)) * self.em + PAD

    def box(self, column: int) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of an axes, as shares of the page."""
        left, wide = PAD + column * (self.wide + GAP) + self.names, self.wide - self.names
        width, height = self.look.width, self.height
        return left / width, self.bottom / height, wide / width, self.look.line * self.lines / height


def layout_of(page: ClassPage) -> ClassLayout:
    """Return the layout of a page: sizes by the number of its lines, places by the lengths of its texts."""
    lines = tuple(_lines(page))
    look = next(look for look in LOOKS if len(lines) <= look.most)
    em, room = look.text / 72, look.width - 2 * PAD
    widest = max(theme.text_width(entry(page, row), look.text) for row in page.rows) + 3.5 * em
    across = min(len(page.rows), max(1, int(room / widest)))
    return ClassLayout(
        look=look,
        columns=flow(lines, look.columns),
        names=max(theme.text_width(line.text, look.text) for line in lines if line.kind != "heading") + em,
        across=across,
        entries=-(-len(page.rows) // across),
        title=tuple(textwrap.wrap(_title(page), int(room / (0.62 * em)))),
        said=tuple(textwrap.wrap(" ".join(_remarks(page)), int(room / (0.5 * em)))),
    )


def flow(lines: Sequence[Line], columns: int) -> tuple[tuple[Line, ...], ...]:
    """Return the lines in so many columns of about equal length; a group that goes on in the next is named again."""
    height = -(-len(lines) // columns)
    while len(found := list(_filled(lines, height))) > columns:
        height += 1
    return tuple(found)


def _filled(lines: Sequence[Line], height: int) -> Iterator[tuple[Line, ...]]:
    """Yield columns of at most ``height`` lines; no heading is the last of a column."""
    column: list[Line] = []
    for line in lines:
        begins = line.kind == "heading"
        if column and len(column) + (4 if begins else 1) > height:
            yield tuple(column)
            column = [] if begins else [Line(line.group, f"{line.group} classes, continued", "heading")]
        column += [Line(line.group)] if begins and column else []
        column.append(line)
    yield tuple(column)


def _lines(page: ClassPage) -> Iterator[Line]:
    groups: dict[Group, tuple[int, ...]] = {"novel": page.split.novel, "base": page.split.base}
    for group, ids in groups.items():
        shown = page.ordered(ids)
        if shown:
            part = "" if len(shown) == len(ids) else f"{len(shown)} of "
            yield Line(group, f"{part}{plural(len(ids), f'{group} class', f'{group} classes')}", "heading")
            yield Line(group, "mean", "mean")
            yield from (Line(group, short(page.classes[one]), "class", one) for one in shown)


def short(name: str) -> str:
    """Return a name that fits its place: as many of its synonyms as do, or its beginning."""
    if len(name) <= LONGEST:
        return name
    synonyms = name[: LONGEST + 1].rpartition(",")[0]
    return synonyms or f"{name[: LONGEST - 1]}…"


def _title(page: ClassPage) -> str:
    return f"IoU of every class, table {page.results.table.name}, {page.column}; {heading(page.results)}"


def _remarks(page: ClassPage) -> Iterator[str]:
    """Yield what has to be known: what marks and bars are, how lines are sorted, and what is not there."""
    several = any(len(row.values) > 1 for row in page.rows)
    yield "Marks: mean over the finished seeds; bars: lowest and highest seed." if several else "Marks: one seed."
    yield "Classes stand in the order of their mean over the rows. Beside each row: its mIoU over either group."
    for rows, ids in page.absent().items():
        whose = "" if len(rows) == len(page.finished) else f" by {', '.join(rows)}"
        novel = [page.classes[one] for one in ids if one in page.split.novel]
        base = [page.classes[one] for one in ids if one not in page.split.novel]
        groups = [f"{', '.join(names)} ({group})" for group, names in (("novel", novel), ("base", base)) if names]
        yield f"Absent from the ground truth of the images scored{whose}: {'; '.join(groups)}."


def entry(page: ClassPage, row: ClassRow) -> str:
    """Return what the legend says of a row: its means, or why there are none."""
    cell = row.cell
    if cell.mean is None:
        return f"{row.label} ({cell.status} here)"
    base = "" if cell.base is None else f", base {cell.base:.1f}"
    share = f" ({cell.n_seeds} of {plural(len(page.results.seeds), 'seed')})" if cell.status == "partial" else ""
    return f"{row.label}: novel {cell.mean:.1f}{base}{share}"
