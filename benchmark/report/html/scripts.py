"""What could change, hide or add to what a page shows once a browser has it, and has no part in its text."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import takewhile

from benchmark.report.html.reading import Node
from benchmark.report.html.sealing import policy

# SHA-256 of every style and script that a version of this software wrote. There are pages that have them, so that a new
# one is added and none is taken away.
STYLES = {
    "c4a9b08cbf8646f6b654ab1633e90dc08bd2e04170d5dd01a6845047323ceb59",
    "ce2eeaaf37ffe153390fa1260c6671b27ace8759cb15315ba68d5e89f0da0641",
    "a585639064f2ef007efab89b85bf5db1d1fc654fc3b97dac73a7912dbd7cd8a3",
}
SCRIPTS = {
    "b7f725a53e8c69a94a6eeedace471316fc7c9debf6a8adaced021f0acdbd1b27",
    "1d5413c44a9e47fafebadfc64ef8f3ff4beb059a602ff9a77ca260dae808e05d",
}
_BEFORE_POLICY = {"html", "head", "meta", "title"}  # tags that a browser may meet before it has the policy
_MOVING = {"dir", "colspan", "rowspan"}  # attributes that turn text round, or put it below another heading


def known_as(text: str) -> str:
    """Return the digest of a style or script."""
    return hashlib.sha256(text.encode()).hexdigest()


def unknown_code(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield what a page has of code that no version of this software wrote, or that its policy would let run."""
    code = {tag: list(_code(nodes, tag)) for tag in ("style", "script")}
    for tag, known in (("style", STYLES), ("script", SCRIPTS)):
        if [known_as(text) in known for text in code[tag]] != [True]:
            yield (
                f"{tag}: is none that this or an earlier version wrote, so that a browser may show other numbers than "
                f"those that were compared"
            )
    yield from _policy(nodes, policy("".join(code["style"]), "".join(code["script"])))
    for node in nodes:
        if node.text in {"bdo", "bdi"} or any(name in _MOVING for name, _ in node.attributes):
            yield f"{node.place}: has text that stands or runs otherwise than it is written"


def _code(nodes: Sequence[Node], tag: str) -> Iterator[str]:
    """Yield the content of every element of a kind."""
    for i, node in enumerate(nodes):
        if node.kind == "start" and node.text == tag:
            yield "".join(one.text for one in takewhile(lambda one: one.kind == "code", nodes[i + 1 :]))


def _policy(nodes: Sequence[Node], due: str) -> Iterator[str]:
    """Yield what is wrong with what keeps a browser from running and loading anything else."""
    said = [i for i, node in enumerate(nodes) if node.text == "meta" and node.get("http-equiv")]
    if len(said) != 1 or nodes[said[0]].get("content") != due:
        yield "policy: does not forbid a browser all but this style and this script"
    elif {node.text for node in nodes[: said[0]] if node.kind == "start"} - _BEFORE_POLICY:
        yield "policy: comes too late"
