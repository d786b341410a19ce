"""What only a look at every image shows: files that no stage could read, images and classes that nothing is seen of."""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from benchmark.datasets.base import IGNORE, Part, Split
from benchmark.datasets.layout import Layout
from benchmark.datasets.manifest import PairFacts
from benchmark.datasets.preparation.crew import each
from benchmark.datasets.preparation.pairs import examine
from benchmark.wording import form, plural

SHOWN = 8  # names in a sentence


@dataclass(frozen=True)
class Sights:
    """What is to be seen in the parts of a dataset.

    Attributes:
        images: part -> class id -> in how many images it occurs.
        void: part -> images without a labelled pixel.
    """

    images: dict[Part, dict[int, int]]
    void: dict[Part, tuple[str, ...]] = field(default_factory=dict)

    def faults(self, splits: Iterable[Split], classes: tuple[str, ...], unlabelled: int) -> Iterator[str]:
        """Yield why stages would fail, or all cells of a split be undefined, each with a way out."""
        if void := self.void.get("train"):
            yield (
                f"the train list: {plural(len(void), 'image')} without a labelled pixel, from which nothing can be "
                f"learned: {_some(void)}. Take {form(len(void), 'it', 'them')} out of the list."
            )
        for split in splits:
            if not any(self.images["test"].get(novel) for novel in split.novel):
                said = "; ".join(self._absences("novel", split.novel, classes, unlabelled))
                yield (
                    f"split {split.name}: {said}: every cell of it would be undefined. Choose other splits "
                    f"(--splits), or mend masks or lists."
                )

    def remarks(self, splits: Iterable[Split], classes: tuple[str, ...], unlabelled: int) -> Iterator[str]:
        """Yield what will be undefined or cannot be learned, a sentence a line."""
        yield from self._void_tests()
        for split in splits:
            for kind, ids in (("novel", split.novel), ("base", split.base)):
                for said in self._absences(kind, ids, classes, unlabelled):
                    yield f"split {split.name}: {said}."

    def absences(self, classes: tuple[str, ...], unlabelled: int) -> Iterator[str]:
        """Yield what holds whatever the split is, a sentence a line."""
        yield from self._void_tests()
        for said in self._absences("", range(len(classes)), classes, unlabelled):
            yield f"{said}."

    def _void_tests(self) -> Iterator[str]:
        if void := self.void.get("test"):
            counted = form(len(void), "counts", "count")
            yield f"{plural(len(void), 'test image')} without a labelled pixel {counted} for nothing: {_some(void)}."

    def _absences(self, kind: str, ids: Iterable[int], classes: tuple[str, ...], unlabelled: int) -> Iterator[str]:
        """Yield which of the classes occur in no training or in no test image."""
        seen = {i: tuple(bool(self.images[part].get(i)) for part in _SEEN) for i in ids}
        for parts, meaning in _ABSENCES.items():
            absent = [classes[i] for i, there in seen.items() if there == parts]
            if absent:
                noun = f"{kind} {form(len(absent), 'class', 'classes')} {_some(absent)}".strip()
                hint = f" ({unlabelled} is taken as unlabelled)" if not any(parts) else ""
                yield f"{noun} {form(len(absent), 'occurs', 'occur')} in no {meaning}{hint}"


_SEEN: tuple[Part, ...] = ("train", "test")
_ABSENCES = {  # whether seen in these -> what it is not seen in, and what follows
    (False, False): "training and no test image",
    (False, True): "training image, so nothing of it can be learned",
    (True, False): "test image, so its IoU is undefined",
}


def examined(
    layout: Layout, workers: int, observe: Callable[[int, int], None]
) -> tuple[dict[str, PairFacts], list[str]]:
    """Read every pair of a dataset, whose files are all there; return what they are, by id, and what is wrong."""
    facts, faults, ids = dict[str, PairFacts](), list[str](), layout.ids()
    with closing(each(functools.partial(examine, layout), ids, workers)) as outcomes:
        for done, outcome in enumerate(outcomes, start=1):
            if outcome.facts:
                facts[outcome.id] = outcome.facts
            else:
                faults.append(outcome.fault)
            observe(done, len(ids))
    return facts, faults


def sights(layout: Layout, facts: Mapping[str, PairFacts]) -> Sights:
    """Return what is to be seen, by the facts of all pairs."""
    images: dict[Part, dict[int, int]] = {}
    for part, ids in layout.parts.items():
        seen = Counter(value for one in ids for value in facts[one].counts if value != IGNORE)
        images[part] = dict(sorted(seen.items()))
    void = {part: tuple(one for one in ids if facts[one].unlabelled) for part, ids in layout.parts.items()}
    return Sights(images, {part: ids for part, ids in void.items() if ids})


def _some(names: Iterable[str]) -> str:
    several = list(names)
    more = f" ... ({len(several)} in all)" if len(several) > SHOWN else ""
    return ", ".join(several[:SHOWN]) + more
