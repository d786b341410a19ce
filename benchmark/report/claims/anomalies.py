"""What is wrong with results apart from their numbers: images, labels, copies, inputs that were made again."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from benchmark.files import read_json
from benchmark.report.scores.evaluations import Evaluation, Facts
from benchmark.stage import Stage, closure

if TYPE_CHECKING:
    from benchmark.store import Store

NAMED = 3  # images or evaluations, before the rest is counted
CLOCK_SKEW = 60.0  # seconds by which the clocks of two machines may differ


Observation = tuple[str, str]  # ``images``, ``ground truth``, ``same counts`` or ``stale``, and what it is in words


def observe(found: Sequence[Evaluation], known: Mapping[str, Facts], store: "Store") -> tuple[Observation, ...]:
    """Return what can be seen in the evaluations of a table and in what they were made from.

    Args:
        found: the evaluations.
        known: key -> what their counts say.
        store: where they are.
    """
    kinds: dict[tuple[str, Any], list[Evaluation]] = {}
    for one in found:
        kinds.setdefault((one.stage.kind, one.stage.params.get("part")), []).append(one)
    return (
        *(("images", text) for group in kinds.values() for text in _images(group, known)),
        *(("ground truth", text) for group in kinds.values() for text in _truths(group, known)),
        *(("same counts", text) for text in _copies(found, known)),
        *(("stale", text) for text in dict.fromkeys(_stale(found, store))),
    )


def _images(group: Sequence[Evaluation], known: Mapping[str, Facts]) -> Iterator[str]:
    """Say which evaluations have fewer or more images than they should, or than others of their kind."""
    union = {image for one in group for image in known[one.stage.key].images}
    for one in group:
        images = known[one.stage.key].images
        asked = len(union) if one.asked is None else one.asked
        lacking = sorted(union.difference(images))
        names = f"; others have {_listed(list(map(repr, lacking)))}" if lacking else ""
        if len(images) != asked or lacking:
            yield f"{one} was scored on {len(images)} of {asked} images{names}"


def _truths(group: Sequence[Evaluation], known: Mapping[str, Facts]) -> Iterator[str]:
    """Say which evaluations saw other labels on the same images than most do."""
    by_images: dict[tuple[str, ...], list[Evaluation]] = {}
    for one in group:
        by_images.setdefault(known[one.stage.key].images, []).append(one)
    for same in by_images.values():
        truths = [known[one.stage.key].truth for one in same]
        usual = max(truths, key=truths.count)
        for one, truth in zip(same, truths, strict=True):
            if truth != usual:
                yield (
                    f"{one} was scored against other ground-truth pixels than the others, on the same images: labels "
                    f"or the ignore index differ"
                )


def _copies(found: Sequence[Evaluation], known: Mapping[str, Facts]) -> Iterator[str]:
    """Say which evaluations that should differ do not."""
    alike: dict[tuple[tuple[str, ...], bytes], list[Evaluation]] = {}
    for one in found:
        alike.setdefault((known[one.stage.key].images, known[one.stage.key].content), []).append(one)
    for group in alike.values():
        if len(group) > 1:
            yield f"{_listed(list(map(str, group)), '; ')} have the same counts, though they are different stages"


def _stale(found: Sequence[Evaluation], store: "Store") -> Iterator[str]:
    """Say which evaluations rest on a stage that was made from other inputs than the store holds now."""
    noted = cache(partial(_noted, store))

    def started(stage: Stage) -> float:
        return float(noted(stage.key, "result.json").get("started", float("inf")))  # one not known disturbs nobody

    def finished(stage: Stage) -> float:
        return float(noted(stage.key, "result.json").get("finished", 0.0))

    for one in found:
        for stage in closure([one.stage]):
            for role, parent in stage.inputs.items():
                words = f"{stage.name} ({one}) was made from other {role.replace('_', ' ')} than"
                if noted(stage.key, "stage.json").get("inputs", {}).get(role) not in {None, parent.key}:
                    yield f"{words} the plan now names"
                elif finished(parent) > started(stage) + CLOCK_SKEW:
                    yield f"{words} the store holds now: {parent.name} was made again afterwards"


def _noted(store: "Store", key: str, file: str) -> Mapping[str, Any]:
    """Return what the store wrote into a file about a stage, nothing where there is no such file."""
    content = read_json(store.folder(key) / file)
    return content if isinstance(content, dict) else {}


def _listed(names: Sequence[str], between: str = ", ") -> str:
    rest = len(names) - NAMED
    return between.join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
