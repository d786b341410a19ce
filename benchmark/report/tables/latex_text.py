"""Texts as LaTeX prints them, alone and as parts of cells."""

from benchmark.report.tables.grid import NOTHING, UNAVAILABLE, CellPart, Entry

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def entry_text(part: CellPart, entry: Entry) -> str:
    """Return a part of a cell without its notes."""
    if entry.text == UNAVAILABLE:
        return NOTHING
    if part.kind == "verdict" or (entry.number is None and entry.text != NOTHING):
        return rf"\emph{{{escaped(entry.text)}}}"
    if part.kind in {"difference", "replicates"} and entry.number is not None:
        return f"${entry.text}$"
    if part.printed:
        return grey(entry.text)
    return rf"\textbf{{{entry.text}}}" if entry.best else entry.text


def grey(text: str) -> str:
    """Return a text in the colour of what the paper prints."""
    return rf"{{\color{{gray}}{text}}}"


def escaped(text: str) -> str:
    """Return a text as LaTeX prints it."""
    return "".join(_ESCAPES.get(character, character) for character in text)
