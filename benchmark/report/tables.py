"""One table as CSV, LaTeX, Markdown or plain text. Only what is shown is rounded; CSV keeps four decimals."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from benchmark.report.estimates import Estimate, Sheet, Status
from benchmark.report.orderings import verdicts
from benchmark.report.wording import paper_title, reported_words, run_words

Format = Literal["csv", "latex", "markdown", "text"]

HEADER = ("row", "column", "novel_miou", "sd", "n_seeds", "base_miou", "miou", "paper", "delta", "status")

UNAVAILABLE: Status = "not available yet"
ORDERINGS = "Orderings of the paper in this run (over common seeds; seed spread: sample SD of the differences):"

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
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
    """Return one line a cell under ``HEADER``: four decimals, the printed value as printed, empty without a number."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    for cell in sheet:
        mean, sd, base, overall, delta = map(_exact, (cell.mean, cell.sd, cell.base, cell.overall, cell.delta))
        paper = "" if cell.paper is None else cell.paper
        writer.writerow((cell.row, cell.column, mean, sd, cell.n_seeds, base, overall, paper, delta, cell.status))
    return stream.getvalue()


def as_markdown(sheet: Sheet) -> str:
    """Return a table for a README, each cell ``ours ± sd (paper)``, and the caption below it."""
    lines = [["", *map(_markdown, sheet.columns)], ["---", *("---:" for _ in sheet.columns)]]
    for row in sheet.rows:
        lines += [[_markdown(row), *(_markdown_cell(sheet[row, column], sheet) for column in sheet.columns)]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    hint = ["Printed values in parentheses."] if sheet.printed else []
    return f"{table}\n\n{_markdown(' '.join([*caption_lines(sheet), *hint]))}\n"


def as_text(sheet: Sheet) -> str:
    """Return aligned columns for a terminal, printed values below ours, then which orderings of the paper hold."""
    lines = [["", *sheet.columns]]
    for row in sheet.rows:
        cells = [sheet[row, column] for column in sheet.columns]
        lines += [[row, UNAVAILABLE]] if _unavailable(cells) else [[row, *(_ours(cell, sheet) for cell in cells)]]
        lines += [["  paper", *(_printed(cell) for cell in cells)]] if sheet.printed else []
    found = [f"  {verdict}" for verdict in verdicts(sheet)]
    return "\n".join([*caption_lines(sheet), "", *_aligned(lines), *(["", ORDERINGS, *found] if found else [])]) + "\n"


def as_latex(sheet: Sheet) -> str:
    """Return a ``table`` environment (packages booktabs and xcolor), the printed value in grey below each of ours."""
    body: list[str] = []
    for i, row in enumerate(sheet.rows):
        cells = [sheet[row, column] for column in sheet.columns]
        spanned = [rf"\multicolumn{{{len(cells)}}}{{c}}{{\emph{{{UNAVAILABLE}}}}}"]
        body += [r"\addlinespace"] if i else []
        body += [_latex_line(_latex(row), spanned if _unavailable(cells) else [_latex_cell(c, sheet) for c in cells])]
        body += [_latex_line(_grey("paper"), [_grey(_printed(cell)) for cell in cells])] if sheet.printed else []
    head = _latex_line("", [_latex(column) for column in sheet.columns])
    rules = (r"\toprule", head, r"\midrule", *body, r"\bottomrule")
    lines = [
        r"% Needs \usepackage{booktabs} and \usepackage{xcolor}.",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_latex(' '.join(caption_lines(sheet)))}}}",
        rf"  \label{{tab:{re.sub(r'[^A-Za-z0-9]+', '-', sheet.table.name)}}}",
        rf"  \begin{{tabular}}{{l{'c' * len(sheet.columns)}}}",
        *(f"    {line}" for line in rules),
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def caption_lines(sheet: Sheet) -> list[str]:
    """Return what the numbers are: metric, data, profile, seeds, and whether the printed values compare with them."""
    seeds = f"seed{'' if len(sheet.seeds) == 1 else 's'} {', '.join(map(str, sheet.seeds))}"
    spread = " ± sample standard deviation" if any(cell.sd is not None for cell in sheet) else ""
    lines = [f"{sheet.table.title}.", f"This run: {run_words(sheet)}, {seeds}; mean{spread} in %."]
    if sheet.table.reported:
        lines.append(reported_words(sheet))
    if any(cell.status == "undefined" for cell in sheet):
        lines.append("Undefined: the images scored show none of the split's novel classes.")
    if sheet.printed:
        differ = "" if sheet.comparable else f"; not comparable with this run ({', '.join(sheet.differences)})"
        lines += [f"Paper: {sheet.table.source}, {paper_title(sheet)}{differ}."]
    return lines


def _ours(cell: Estimate, sheet: Sheet) -> str:
    """Return mean and spread with one decimal, or the status in words where there is no number."""
    if cell.mean is None:
        return cell.status
    spread = "" if cell.sd is None else f" ± {cell.sd:.1f}"
    share = f" ({cell.n_seeds} of {len(sheet.seeds)} seeds)" if cell.status == "partial" else ""
    return f"{cell.mean:.1f}{spread}{share}"


def _exact(number: float | None) -> str:
    return "" if number is None else f"{number:.4f}"


def _printed(cell: Estimate) -> str:
    return "--" if cell.paper is None else f"{cell.paper:.1f}"


def _unavailable(cells: Sequence[Estimate]) -> bool:
    return all(cell.status == UNAVAILABLE for cell in cells)


def _aligned(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines with the first column to the left, the others to the right; a short line runs on."""
    full = max(map(len, lines))
    widths = [max(len(line[i]) for line in lines if len(line) == full) for i in range(full)]
    widths[0] = max(len(line[0]) for line in lines)
    for first, *others in lines:
        placed = [text.rjust(width) for text, width in zip(others, widths[1:], strict=False)]
        yield "  ".join([first.ljust(widths[0]), *(placed if len(others) == full - 1 else others)]).rstrip()


def _markdown_cell(cell: Estimate, sheet: Sheet) -> str:
    printed = f" ({cell.paper:.1f})" if cell.paper is not None else ""
    return _markdown(f"{_ours(cell, sheet)}{printed}")


def _markdown(text: str) -> str:
    return re.sub(r"([*|_<>])", r"\\\1", text)


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _latex_cell(cell: Estimate, sheet: Sheet) -> str:
    return rf"\emph{{{cell.status}}}" if cell.mean is None else _latex(_ours(cell, sheet))


def _latex_line(first: str, others: Sequence[str]) -> str:
    return " & ".join([first, *others]) + r" \\"


def _grey(text: str) -> str:
    return rf"{{\footnotesize\color{{gray}}{text}}}"
