"""What a page lists beside its tables: stages by kind, evaluations with their digests, and where all of it was made."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.datasets.base import Split
from benchmark.files import canonical_json
from benchmark.provenance import origin
from benchmark.report.html.content import Content
from benchmark.report.html.words import NOTHING
from benchmark.sharing.description import StageOf, commits
from benchmark.splits import split_digest
from benchmark.wording import duration, plural, tally

SHORT = 12  # digits of a key that are shown

Fact = tuple[str, tuple[str, ...]]  # a line of the environment: what, and its different values


@dataclass(frozen=True)
class StageRow:
    """A stage as the list shows it; ``cells`` is the number of cells that rest on it."""

    key: str
    stage: StageOf
    cells: int

    @property
    def short(self) -> str:
        return self.key[:SHORT]

    @property
    def inputs(self) -> list[tuple[str, str]]:
        """Role and key of each input, as they are shown."""
        return [(role.replace("_", " "), key[:SHORT]) for role, key in self.stage.inputs.items()]

    @property
    def seconds(self) -> float | None:
        return self.stage.record.wall_seconds if self.stage.record and self.stage.record.wall_seconds else None

    @property
    def time(self) -> str:
        return NOTHING if self.seconds is None else duration(self.seconds)

    @property
    def attempts(self) -> str:
        """How many attempts it took, and what became of those before the last."""
        attempts = self.stage.record.attempts if self.stage.record else ()
        earlier = tally(one.state for one in attempts[:-1])
        return f"{len(attempts)} ({earlier})" if earlier else str(len(attempts) or NOTHING)


def stage_groups(content: Content) -> dict[str, list[StageRow]]:
    """Return kind -> its stages, kinds in the order in which they first occur."""
    cells = _users(content)
    groups: dict[str, list[StageRow]] = {}
    for key, stage in content.stages.items():
        groups.setdefault(stage.kind, []).append(StageRow(key, stage, cells[key]))
    return groups


def stages_words(rows: Sequence[StageRow]) -> str:
    """Return how many stages there are, how they stand unless all are done, and how long they took in all."""
    states = [row.stage.state for row in rows]
    standing = "" if set(states) == {"done"} else f" ({tally(states)})"
    return f"{plural(len(rows), 'stage')}{standing}, {duration(sum(row.seconds or 0.0 for row in rows))}"


def _users(content: Content) -> dict[str, int]:
    """Return of each stage how many cells rest on it."""
    users: dict[str, set[int]] = {key: set() for key in content.stages}
    for i, cell in enumerate(content.cells):
        if cell.stage is not None:
            users[cell.stage].add(i)
    for key in reversed(list(content.stages)):  # users before inputs
        for parent in content.stages[key].inputs.values():
            users[parent] |= users[key]
    return {key: len(cells) for key, cells in users.items()}


def counts_rows(content: Content) -> list[tuple[str, str, int, str]]:
    """Return key, name, number of cells, and digest of the errors of every evaluation whose counts are in the page."""
    cells = _users(content)
    return [(key, content.stages[key].name, cells[key], packed.errors) for key, packed in content.counts.items()]


def shared_blocks(content: Content) -> list[tuple[str, str, int]]:
    """Return what each block that evaluations share holds, its digest, and how many of them share it."""
    words = {"images": "ids of the images", "truth": "ground truth", "ignored": "predictions on ignored pixels"}
    found: dict[tuple[str, str], int] = {}
    for packed in content.counts.values():
        for name, what in words.items():
            place = what, getattr(packed, name)
            found[place] = found.get(place, 0) + 1
    return [(what, digest, number) for (what, digest), number in sorted(found.items())]


_ARITHMETIC = {"processor": "cpu", "arithmetic": "level", "instructions": "capability", "MKL": "mkl", "BLAS": "blas"}


def environment(content: Content) -> list[Fact]:
    """Return what was used for the results, each with its different values over the finished stages."""
    made = [stage.record.provenance for stage in content.stages.values() if stage.record]
    packages = sorted({name for one in made for name in one.get("packages", {})})
    arithmetic = [one["arithmetic"] for one in made if isinstance(one.get("arithmetic"), dict)]
    imports = tuple(sorted({origin(one) for one in made} - {""}))
    return [
        *([("imported from", imports)] if imports else []),
        ("commit", tuple(commits(made))),
        ("device", _distinct(made, "device")),
        *((title, _distinct(arithmetic, name)) for title, name in _ARITHMETIC.items() if arithmetic),
        ("platform", _distinct(made, "platform")),
        ("threads", _distinct(made, "threads")),
        ("Python", _distinct(made, "python")),
        *((name, _distinct((one.get("packages", {}) for one in made), name)) for name in packages),
    ]


def identity(content: Content) -> list[Fact]:
    """Return what was asked for: data, splits, profile, seeds, and what was changed by hand."""
    dataset, profile = content.dataset, content.profile
    changed = tuple(f"{name} = {canonical_json(value)}" for name, value in content.overrides.items())
    partial = (dataset.partial,) if dataset.partial else ()
    images = f"{len(dataset.classes)} classes, {dataset.train:,} training and {dataset.test:,} test images"
    return [
        ("data set", (f"{dataset.title} ({dataset.name})", images, *partial)),
        ("digest of the data", (dataset.digest,)),
        ("profile", (profile.name, profile.description)),
        ("preset", (content.preset,)),
        ("changed by hand", changed or ("nothing",)),
        ("seeds", (", ".join(map(str, content.seeds)),)),
        ("evaluator", (f"version {content.evaluator}",)),
        *((f"digest of split {split.name}", (split_digest(split),)) for split in _splits(content)),
    ]


def settings(content: Content) -> list[str]:
    """Return the settings of the profile as ``section.key = value``, exceptions for the data set in their place."""
    found: dict[str, Any] = {}
    for sections in (content.profile.sections, content.profile.datasets.get(content.dataset.name, {})):
        found |= {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}
    return [f"{name} = {canonical_json(value)}" for name, value in found.items()]


def _splits(content: Content) -> Iterator[Split]:
    """Yield the splits that any cell is of."""
    used = {cell.split for cell in content.cells}
    for name, split in content.splits.items():
        if name in used:
            yield Split(content.dataset.name, name, split.novel, split.base)


def _distinct(made: Iterable[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    return tuple(sorted({str(one[name]) for one in made if one.get(name) is not None}))
