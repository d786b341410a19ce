"""``data verify``: every file of a dataset read, and held against its lists, its manifest and what is published."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmark.datasets.files import check_lists, missing_files
from benchmark.datasets.folder import DESCRIPTION, read_description
from benchmark.datasets.layout import Layout
from benchmark.datasets.manifest import Manifest, PairFacts, read_manifest, summary, write_manifest
from benchmark.datasets.preparation.prepare import file_facts, known_digest
from benchmark.datasets.preparation.recipes import RECIPES, Recipe
from benchmark.datasets.preparation.soundness import examined, sights
from benchmark.files import naming
from benchmark.wording import form, plural


class Verification(NamedTuple):
    """What was found.

    Attributes:
        manifest: what the folder holds; ``None`` where files are missing or unsound.
        faults: one a line, each with a way out; none for a sound dataset.
        written: whether the manifest was written now.
        remarks: what is worth knowing and no fault.
    """

    manifest: Manifest | None
    faults: tuple[str, ...]
    written: bool = False
    remarks: tuple[str, ...] = ()


def verify(
    layout: Layout,
    *,
    workers: int = 0,
    partial: bool = False,
    observe: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> Verification:
    """Read every file of a dataset and return what is wrong with it.

    Where it is sound, has its folder for itself and no manifest yet, one is written. ``partial`` accepts a part of a
    published dataset that has no manifest to say that it is one. Raises BenchmarkError for lists that contradict each
    other, and where the manifest cannot be read or written.
    """
    check_lists(layout)
    recorded = read_manifest(layout.manifest) if layout.manifest else None
    remarks = tuple(_remarks(layout))
    accepted = partial or bool(recorded and recorded.partial)
    faults, facts = list(missing_files(layout)), dict[str, PairFacts]()
    if not faults:
        facts, faults = examined(layout, workers, observe)
        if not faults:
            seen = sights(layout, facts)
            faults += seen.faults((), layout.classes, layout.ignore)
            remarks += tuple(seen.absences(layout.classes, layout.ignore))
    faults += _of_whole(layout, RECIPES.get(layout.name), facts, accepted=accepted)
    if len(facts) < len(layout.ids()):
        return Verification(None, tuple(faults), remarks=remarks)
    found = _manifest(layout, facts, recorded)
    faults += _changes(layout, recorded, found)
    if faults or recorded or layout.manifest is None:
        return Verification(found, tuple(faults), remarks=remarks)
    with naming(layout.manifest.parent, "The dataset is sound; only its manifest could not be written."):
        write_manifest(layout.manifest, found)
    return Verification(found, (), written=True, remarks=remarks)


def _unused(layout: Layout) -> list[str]:
    """Return the pictures in the folders of the dataset that no list names, as paths."""
    expected = {path for one in layout.ids() for path in (layout.image_path(one), layout.mask_path(one))}
    unused = []
    for folder, suffix in dict.fromkeys(((layout.images, layout.image_suffix), (layout.masks, layout.mask_suffix))):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.suffix.lower() == suffix.lower() and path not in expected and not path.name.startswith("."):
                unused.append(str(path))
    return unused


def _remarks(layout: Layout) -> Iterator[str]:
    """Yield what a sound dataset may have, and its user may want to know."""
    if layout.manifest and (unused := _unused(layout)):
        first = ", ".join(unused[:3]) + (" ..." if len(unused) > 3 else "")
        yield f"not used, as no list names {form(len(unused), 'it', 'them')}: {plural(len(unused), 'file')}, {first}"


def _of_whole(
    layout: Layout, recipe: Recipe | None, facts: Mapping[str, PairFacts], *, accepted: bool
) -> Iterator[str]:
    """Yield what a published dataset has and should not have, or lacks."""
    if recipe is None:
        return
    if layout.partial and not accepted:
        yield (
            f"{layout.partial} of {recipe.name} are there and no manifest says that this is meant; prepare again from "
            f"the complete files, or accept it with --partial."
        )
    for part, pattern in recipe.numbered.items():
        known = {pattern.format(number + 1) for number in range(recipe.published[part])}
        strange = [one for one in layout.parts[part] if one not in known]
        if strange:
            yield f"{part} list: {plural(len(strange), 'name')} not of {recipe.name}, the first is {strange[0]}."
    if recipe.drop_unlabelled:
        for one in layout.ids():
            if one in facts and facts[one].unlabelled:
                yield f"{layout.mask_path(one)}: has no labelled pixel; {recipe.name} is used without such images."
    if not layout.partial:
        for one in sorted(set(recipe.excluded) & set(layout.ids())):
            yield f"{one}: is published as left out for want of a labelled pixel, yet it is in a list."


def _manifest(layout: Layout, facts: Mapping[str, PairFacts], recorded: Manifest | None) -> Manifest:
    """Return what is there; what files do not show is taken from the manifest that was there before."""
    lists: tuple[Path, ...] = ()
    folder = layout.images.parent
    if layout.manifest:
        folder = layout.manifest.parent
        lists = tuple(folder / path for path in read_description(folder / DESCRIPTION).lists.values())
    return Manifest(
        dataset=layout.name,
        digest=known_digest(layout, facts),
        partial=layout.partial,
        origin=recorded.origin if recorded else "",
        images={part: len(ids) for part, ids in layout.parts.items() if ids},
        excluded=recorded.excluded if recorded else (),
        files=file_facts(layout, facts, lists, folder),
        **summary([facts[one] for one in layout.ids()], layout.classes),
    )


def _changes(layout: Layout, recorded: Manifest | None, found: Manifest) -> Iterator[str]:
    """Yield in what the files are not those that the manifest was written for."""
    if recorded is None or layout.manifest is None:
        return
    way_out = f"Restore it; if the change is meant, delete {layout.manifest.name} and verify again."
    for name in dict.fromkeys((*recorded.files, *found.files)):
        before, now = recorded.files.get(name), found.files.get(name)
        if before != now:
            said = before.sha256[:12] if before else "nothing"
            yield f"{layout.manifest.parent / name}: is not what the manifest says (SHA-256 {said}). {way_out}"
    if found.digest != recorded.digest:
        yield f"{layout.manifest}: says digest {recorded.digest[:12]}, the files have {found.digest[:12]}. {way_out}"
