"""One table as CSV, LaTeX, Markdown or plain text. Only what is shown is rounded; CSV keeps four decimals."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from benchmark.report.estimates import Estimate, Sheet
from benchmark.report.orderings import verdicts

Format = Literal["csv", "latex", "markdown", "text"]

HEADER = ("row", "column", "novel_miou", "sd", "n_seeds", "base_miou", "miou", "paper", "delta", "status")

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def render(sheet: Sheet, style: Format) -> str:
    """Return the table in one of the formats, ending with a line break."""
    styles: Mapping[Format, Callable[[Sheet], str]] = {
        "csv": as_csv,
        "latex": as_latex,
        "markdown": as_markdown,
        "text": as_text,
    }
    return styles[style](sheet)


def as_csv(sheet: Sheet) -> str:
    """Return one line a cell under ``HEADER``; a field without a number is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    for cell in sheet:
        numbers = (cell.mean, cell.sd, cell.base, cell.overall, cell.paper, cell.delta)
        mean, sd, base, overall, paper, delta = ("" if n is None else f"{n:.4f}" for n in numbers)
        writer.writerow((cell.row, cell.column, mean, sd, cell.n_seeds, base, overall, paper, delta, cell.status))
    return stream.getvalue()


def as_markdown(sheet: Sheet) -> str:
    """Return a table for a README: each cell ``ours ± sd (paper)``, the caption below."""
    lines = [["", *sheet.columns], ["---", *("---:" for _ in sheet.columns)]]
    lines += [[row, *(_plain(sheet[row, column], sheet) for column in sheet.columns)] for row in sheet.rows]
    table = "\n".join(f"| {' | '.join(_markdown(text) for text in line)} |" for line in lines)
    return f"{table}\n\n{_markdown(_caption(sheet, 'in parentheses'))}\n"


def as_text(sheet: Sheet) -> str:
    """Return aligned columns for a terminal, then which orderings of the paper hold."""
    lines = [["", *sheet.columns]]
    lines += [[row, *(_plain(sheet[row, column], sheet) for column in sheet.columns)] for row in sheet.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    aligned = ("  ".join(_aligned(line, widths)).rstrip() for line in lines)
    found = [f"  {verdict}" for verdict in verdicts(sheet)]
    judged = ["", "Orderings of the paper, judged by the mean over seeds of this run:", *found] if found else []
    return "\n".join([_caption(sheet, "in parentheses"), "", *aligned, *judged]) + "\n"


def as_latex(sheet: Sheet) -> str:
    """Return a ``table`` environment that needs the packages booktabs and xcolor; each printed value in grey below ours."""
    body: list[str] = []
    for i, row in enumerate(sheet.rows):
        cells = [sheet[row, column] for column in sheet.columns]
        body += [r"\addlinespace"] if i else []
        body += [_latex_line([_latex(row), *(_latex_cell(cell, sheet) for cell in cells)])]
        body += [_latex_line([_grey("paper"), *(_grey(_printed(cell)) for cell in cells)])]
    head = _latex_line(["", *(_latex(column) for column in sheet.columns)])
    lines = [
        "% Needs \\usepackage{booktabs} and \\usepackage{xcolor}.",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{_latex(_caption(sheet, 'in grey'))}}}",
        f"  \\label{{tab:{re.sub(r'[^A-Za-z0-9]+', '-', sheet.table.name)}}}",
        f"  \\begin{{tabular}}{{l{'c' * len(sheet.columns)}}}",
        *(f"    {line}" for line in (r"\toprule", head, r"\midrule", *body, r"\bottomrule")),
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _caption(sheet: Sheet, printed: str) -> str:
    """Return what the numbers are: metric, data, profile, seeds, and what may be compared with the printed values."""
    table = sheet.table
    spread = " ± sample standard deviation" if any(cell.sd is not None for cell in sheet) else ""
    ours = f"{table.title}. Mean{spread} in % over {sheet.seeds_words}; {sheet.run_words}"
    if not sheet.printed:
        return f"{ours}."
    theirs = f"{printed}: {table.source} ({sheet.paper_title})"
    differ = "" if sheet.comparable else f"; not comparable, because {sheet.why_not_comparable}"
    return f"{ours}; {theirs}{differ}."


def _plain(cell: Estimate, sheet: Sheet) -> str:
    printed = f" ({cell.paper:.1f})" if cell.paper is not None else ""
    return f"{_ours(cell, sheet, '±')}{printed}"


def _ours(cell: Estimate, sheet: Sheet, plus_minus: str) -> str:
    """Return mean and spread with one decimal, or the status in words: never a blank, never a 0 that was not measured."""
    if cell.mean is None:
        return cell.status
    spread = "" if cell.sd is None else f" {plus_minus} {cell.sd:.1f}"
    share = f" [{cell.n_seeds}/{len(sheet.seeds)} seeds]" if cell.status == "partial" else ""
    return f"{cell.mean:.1f}{spread}{share}"


def _printed(cell: Estimate) -> str:
    return "--" if cell.paper is None else f"{cell.paper:.1f}"


def _aligned(line: list[str], widths: list[int]) -> Iterable[str]:
    yield line[0].ljust(widths[0])
    yield from (text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True))


def _markdown(text: str) -> str:
    return re.sub(r"([*|_<>])", r"\\\1", text)


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text).replace("±", r"$\pm$")


def _latex_cell(cell: Estimate, sheet: Sheet) -> str:
    return _latex(_ours(cell, sheet, "±")) if cell.mean is not None else rf"\emph{{{cell.status}}}"


def _latex_line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _grey(text: str) -> str:
    return rf"{{\footnotesize\color{{gray}} {text}}}"
