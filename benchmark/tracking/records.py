"""What a stage is and did in the words that MLflow accepts: legal names, short values, flat numbers."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.errors import BenchmarkError

NAME_LIMIT = 250  # characters, for parameters, metrics and tags alike
VALUE_LIMIT = 500  # the limit of old servers; today's is 6000. The whole value is in the artefact stage.json.
TAG_LIMIT = 5000


class Point(NamedTuple):
    """One number of a curve. ``time`` is in milliseconds since the epoch."""

    name: str
    value: float
    time: int
    step: int


def legal(name: str) -> str:
    """Return ``name`` with all that MLflow refuses replaced: odd characters, ``..``, doubled slashes, excess length."""
    clean = re.sub(r"[^\w\-. /]", "_", name)
    if len(clean) > NAME_LIMIT:
        clean = f"{clean[: NAME_LIMIT - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    parts = (part.strip() for part in clean.split("/"))
    return "/".join(part for part in parts if part not in {"", ".", ".."}).lstrip(".") or "_"


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, leaf) of nested mappings; a list is a leaf."""
    for name, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from flat(item, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", item


def parameters(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of ``stage.json`` under dotted names, and its input stages as ``inputs.<role>``."""
    found: dict[str, str] = {}
    everything = [*flat(spec["params"]), *((f"inputs.{role}", key) for role, key in spec["inputs"].items())]
    for name, value in everything:
        text = value if isinstance(value, str) else json.dumps(value)
        found[_unused(legal(name), found)] = shortened(text, VALUE_LIMIT)
    return found


def shortened(text: str, limit: int) -> str:
    """Return ``text`` with its end cut off, visibly, where it is longer than ``limit`` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def tags(spec: Mapping[str, Any], result: Mapping[str, Any] | None) -> dict[str, str]:
    """Return what one filters runs by: the cells that use the stage, its key, and where it was computed."""
    cells = spec["cells"]
    found = {name: _several(cell[name] for cell in cells) for name in ("dataset", "split", "method", "variant", "seed")}
    found |= {"kind": spec["kind"], "stage_key": spec["key"], "function": spec["function"]}
    provenance = result["provenance"] if result else {}
    for name in ("git_commit", "git_dirty", "python", "platform", "device", "threads", "dataset_digest"):
        found[name] = "" if provenance.get(name) is None else str(provenance[name])
    found |= {"mlflow.source.name": spec["function"], "mlflow.source.git.commit": found["git_commit"]}
    return {name: shortened(value, TAG_LIMIT) for name, value in found.items() if value}


def points(curves: Path) -> list[list[Point]]:
    """Return the points of ``curves.jsonl``, one list a line.

    A line that is not (yet) whole counts as empty, so that the position of a line never changes.
    """
    try:
        text = curves.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [_line(line) for line in text.split("\n")[:-1]]


def summary(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of ``result.json`` as metrics: ``summary/...`` and the times in seconds."""
    found = {legal(f"summary/{name}"): float(value) for name, value in flat(result["summary"]) if _number(value)}
    return found | {name: float(result[name]) for name in ("wall_seconds", "cpu_seconds") if _number(result.get(name))}


def scores(counts_file: Path, cells: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return in percent the IoU of each class, the overall mIoU, and novel and base mIoU of the splits in ``cells``.

    Classes that the test images do not show are left out. Raises BenchmarkError for a broken file.
    """
    from benchmark.metrics import Counts, iou, overall_miou

    counts = Counts.load(counts_file)
    used = list(cells)
    names = _class_names(used, counts.classes)
    found: dict[str, float] = {"overall_miou": overall_miou(counts)}
    for name, value in zip(names, iou(counts), strict=True):
        if not math.isnan(value):
            found[_unused(legal(f"iou/{name.replace('/', '-')}"), found)] = 100.0 * float(value)
    for cell in {(cell["dataset"], cell["split"]): cell for cell in used}.values():
        found |= _split_scores(counts, cell)
    return found


def _class_names(cells: list[Mapping[str, Any]], classes: int) -> tuple[str, ...]:
    from benchmark.splits import class_names

    numbered = tuple(f"class {number:03d}" for number in range(classes))
    try:
        named = tuple(cells[0].get("classes") or class_names(cells[0]["dataset"])) if cells else numbered
    except BenchmarkError:  # a user's own dataset that is not here any more
        return numbered
    return named if len(named) == classes else numbered


def _split_scores(counts: Any, cell: Mapping[str, Any]) -> dict[str, float]:
    from benchmark.metrics import mean_iou
    from benchmark.splits import split

    name = cell["split"]
    try:
        if "novel" in cell:
            novel_ids = tuple(cell["novel"])
            base_ids = tuple(i for i in range(counts.classes) if i not in novel_ids)
        else:
            known = split(cell["dataset"], name)
            novel_ids, base_ids = known.novel, known.base
        novel, base = mean_iou(counts, novel_ids), mean_iou(counts, base_ids)
    except BenchmarkError:  # no such split here, or none of its classes in the images evaluated
        return {}
    return {legal(f"novel_miou/{name}"): novel, legal(f"base_miou/{name}"): base}


def _line(line: str) -> list[Point]:
    try:
        values = json.loads(line)
        step, time = int(values.pop("step")), round(1000 * values.pop("time"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return [Point(legal(name), float(value), time, step) for name, value in values.items() if _number(value)]


def _several(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values if str(value)))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unused(name: str, taken: Mapping[str, object]) -> str:
    """Return ``name``, or with a number behind it where two names became one by being made legal."""
    number = 2
    free = name
    while free in taken:
        free, number = f"{name[: NAME_LIMIT - 4]}_{number}", number + 1
    return free
