"""``data prepare``: published files converted to the common layout, each pair once, the description of it last."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml
from filelock import FileLock, Timeout

from benchmark.datasets import manifest as manifests
from benchmark.datasets.base import Part
from benchmark.datasets.files import check_lists, digest
from benchmark.datasets.folder import DESCRIPTION, PARTS
from benchmark.datasets.layout import MANIFEST, Layout
from benchmark.datasets.manifest import FileFacts, Manifest, PairFacts, name_in, summary
from benchmark.datasets.preparation import journal
from benchmark.datasets.preparation.crew import each
from benchmark.datasets.preparation.journal import Journal
from benchmark.datasets.preparation.matlab import generation, require_reader
from benchmark.datasets.preparation.pairs import Job, convert
from benchmark.datasets.preparation.recipes import Recipe
from benchmark.datasets.preparation.trees import Member, Tree, open_tree, rooted
from benchmark.errors import BenchmarkError
from benchmark.files import naming, sha256, write_text
from benchmark.wording import form, plural

IMAGES, MASKS, LISTS = "images", "masks", "lists"
SHOWN = 12  # faults
GAPS = 50  # runs of missing names: at most some 3 KB of text
WAY_OUT = "What is done is kept: mend it and run the same command again, or choose another folder with --to."
OWN = {IMAGES, MASKS, LISTS, DESCRIPTION, MANIFEST, journal.NAME, ".lock"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # an id becomes part of a path

Observer = Callable[[int, int], None]  # pairs done, of all


class Listing(NamedTuple):
    """What is published and there.

    Attributes:
        parts: part -> ids, in the order of the lists; of a partial dataset only pairs that are there.
        image, mask: id -> file.
        lacks: what is missing of the published dataset, in words.
    """

    parts: Mapping[Part, tuple[str, ...]]
    image: Mapping[str, Member]
    mask: Mapping[str, Member]
    lacks: tuple[str, ...]

    def ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(image_id for ids in self.parts.values() for image_id in ids))


def prepare(
    recipe: Recipe,
    source: Path,
    target: Path,
    *,
    workers: int = 0,
    partial: bool = False,
    observe: Observer = lambda done, total: None,  # noqa: ARG005
) -> Manifest:
    """Convert a published dataset to the common layout in ``target`` and return its manifest.

    Images are linked or copied, never encoded anew. Pairs that an earlier run left there intact are not made again.

    Args:
        recipe: of the dataset.
        source: published archive or folder.
        target: empty, or what an earlier run left.
        workers: processes; 0 works in this one.
        partial: accept a part of the dataset; the manifest, the title and every result say so.
        observe: is told how many pairs are done.

    Raises:
        BenchmarkError: for missing or unsound files, all at once, and where the target cannot be written.
    """
    listing = published(recipe, open_tree(source))
    if listing.lacks and not partial:
        raise BenchmarkError(
            f"{source}: {recipe.name} is not complete.\n" + "\n".join(f"  {one}" for one in listing.lacks) + "\n"
            f"Expected is {recipe.archive}. Fetch the rest, or keep what is there with --partial: results then say so."
        )
    check_lists(_layout(recipe, target, listing.parts))
    if recipe.format == "coco-stuff":
        _require_reader(listing)
    with naming(target, WAY_OUT), _held(target):
        return _prepare(recipe, source, target, listing, workers, observe)


def published(recipe: Recipe, tree: Tree) -> Listing:
    """Return what a recipe finds in published files. Raises BenchmarkError where it finds nothing of a part."""
    listed = sorted({str(Path(path).parent) for paths in recipe.lists.values() for path in paths})
    folders = dict.fromkeys((*(f for p in recipe.parts for f in (recipe.images[p], recipe.masks[p])), *listed))
    root = rooted(tree, tuple(folders), recipe.archive)
    image, mask, lacks = dict[str, Member](), dict[str, Member](), list[str]()
    parts: dict[Part, tuple[str, ...]] = {}
    for part in recipe.parts:
        names = _names(recipe, tree, root, part)
        images, masks = tree.files(root + recipe.images[part]), tree.files(root + recipe.masks[part])
        found_images = {one: images[f"{one}.jpg"] for one in names if f"{one}.jpg" in images}
        found_masks = {one: masks[one + recipe.mask_suffix] for one in names if one + recipe.mask_suffix in masks}
        image |= found_images
        mask |= found_masks
        parts[part] = tuple(one for one in names if one in found_images and one in found_masks)
        if part in recipe.published:
            lacks += _lacks(recipe, part, names, found_images, found_masks)
            if not parts[part]:
                lack = "\n".join(f"  {one}" for one in lacks)
                raise BenchmarkError(f"{tree.where}: not one pair of the part {part} is there.\n{lack}")
    return Listing(parts, image, mask, tuple(lacks))


def _names(recipe: Recipe, tree: Tree, root: str, part: Part) -> tuple[str, ...]:
    """Return the ids of a part, from its lists or by their numbers."""
    if part in recipe.numbered:
        return tuple(recipe.numbered[part].format(i + 1) for i in range(recipe.published[part]))
    names: list[str] = []
    for path in recipe.lists[part]:
        folder, _, name = path.rpartition("/")
        member = tree.files(root + folder).get(name)
        if member is None:
            raise BenchmarkError(f"{tree.where}: the list {root}{path} is missing. Expected is {recipe.archive}.")
        ids = [line.strip() for line in member.read().decode("utf-8-sig", errors="replace").split("\n")]
        odd = [one for one in ids if one and not _PLAIN_NAME.fullmatch(one)]
        if odd:
            raise BenchmarkError(f"{member}: {odd[0]!r} is no image name. A list holds one name without suffix a line.")
        names += [one for one in ids if one]
    return tuple(names)


def _lacks(
    recipe: Recipe, part: Part, names: tuple[str, ...], images: Mapping[str, Member], masks: Mapping[str, Member]
) -> Iterator[str]:
    """Yield what a part lacks, in words."""
    expected = recipe.published[part]
    if len(names) != expected:
        yield f"{part}: {' and '.join(recipe.lists[part])} name {plural(len(names), 'image')}, published are {expected}"
    image_gaps, mask_gaps = list(_gaps(names, images)), list(_gaps(names, masks))
    alike = image_gaps == mask_gaps
    image_folder, mask_folder = f"{recipe.images[part]} (.jpg)", f"{recipe.masks[part]} ({recipe.mask_suffix})"
    if alike:
        lines = [("images and masks", images, f"{image_folder} and {mask_folder}", image_gaps)]
    else:
        lines = [("images", images, image_folder, image_gaps), ("masks", masks, mask_folder, mask_gaps)]
    for kind, found, folder, gaps in lines:
        if gaps:
            rest = f" and {len(gaps) - GAPS} more such gaps" if len(gaps) > GAPS else ""
            missing = f"{len(names) - len(found)} of {len(names)} {kind} are missing in {folder}"
            yield f"{part}: {missing}: {', '.join(gaps[:GAPS])}{rest}"


def _gaps(names: tuple[str, ...], found: Mapping[str, Member]) -> Iterator[str]:
    """Yield runs of missing names: ``a``, ``b to f (12)``; a run follows the order of the list."""
    run: list[str] = []
    for name in (*names, None):
        if name is not None and name not in found:
            run.append(name)
        elif run:
            yield run[0] if len(run) == 1 else f"{run[0]} to {run[-1]} ({len(run)})"
            run = []


def _require_reader(listing: Listing) -> None:
    """Raise BenchmarkError at once, not once a file, where the first mask needs a library that is not installed."""
    first = listing.mask[listing.ids()[0]]
    try:
        hdf5 = generation(first.read(), first) == "v1.0"
    except BenchmarkError:
        return  # told with all others
    if hdf5:
        require_reader()


def _prepare(recipe: Recipe, source: Path, target: Path, listing: Listing, workers: int, observe: Observer) -> Manifest:
    book = Journal(target, recipe.name)
    layout = _layout(recipe, target, listing.parts)
    jobs = [_job(recipe, layout, listing, book, image_id) for image_id in listing.ids()]
    if not all(job.known for job in jobs):
        _conceal(target)
    facts, faults = dict[str, PairFacts](), list[str]()
    with book.writing() as note, closing(each(convert, jobs, workers)) as outcomes:
        for done, outcome in enumerate(outcomes, start=1):
            note(outcome)
            if outcome.facts:
                facts[outcome.id] = outcome.facts
            else:
                faults.append(outcome.fault)
            observe(done, len(jobs))
    if faults:
        _conceal(target)
        raise BenchmarkError(_faults(recipe, faults, len(jobs)))
    return _finish(recipe, source, target, listing, facts, book)


def _finish(
    recipe: Recipe, source: Path, target: Path, listing: Listing, facts: Mapping[str, PairFacts], book: Journal
) -> Manifest:
    """Check what only the whole shows, then write lists, manifest and description, in this order."""
    excluded = tuple(one for one in listing.ids() if recipe.drop_unlabelled and facts[one].unlabelled)
    _check_excluded(recipe, source, excluded, complete=not listing.lacks)
    kept_parts: dict[Part, tuple[str, ...]] = {
        part: tuple(one for one in ids if one not in set(excluded)) for part, ids in listing.parts.items()
    }
    layout = _layout(recipe, target, kept_parts)
    check_lists(layout)
    for part, ids in kept_parts.items():
        _write_if_new(target / LISTS / f"{part}.txt", "".join(f"{one}\n" for one in ids))
    kept = [facts[one] for one in layout.ids()]
    made = Manifest(
        dataset=recipe.name,
        digest=known_digest(layout, facts),
        partial=recipe.lack(len(kept)),
        origin=f"{source.name}{_release(kept, source)}",
        images={part: len(ids) for part, ids in kept_parts.items()},
        excluded=excluded,
        files=file_facts(layout, facts, [target / LISTS / f"{part}.txt" for part in kept_parts], target),
        **summary(kept, recipe.classes),
    )
    if _recorded(target) != made:
        _conceal(target)
        _remove_others(layout, book.ids())
        os.sync()  # once, not 40,000 times: the description must not outlive a power cut that its files do not
        manifests.write_manifest(target / MANIFEST, made)
    _write_if_new(target / DESCRIPTION, _description(recipe, made))
    return made


def known_digest(layout: Layout, facts: Mapping[str, PairFacts]) -> str:
    """Return the digest of a dataset by the facts of its pairs."""
    return digest(
        layout,
        lambda one: facts[one].image.sha256,
        lambda one: facts[one].mask.pixels if layout.pixel_digest else facts[one].mask.sha256,
    )


def file_facts(
    layout: Layout, facts: Mapping[str, PairFacts], lists: Iterable[Path], folder: Path
) -> dict[str, FileFacts]:
    """Return what a manifest in ``folder`` says of every file of a dataset."""
    found = {path: FileFacts(path.stat().st_size, sha256(path)) for path in lists}
    for image_id in layout.ids():
        found[layout.image_path(image_id)] = facts[image_id].image
        found[layout.mask_path(image_id)] = facts[image_id].mask
    return {name_in(folder, path): one for path, one in found.items()}


def _check_excluded(recipe: Recipe, source: Path, derived: tuple[str, ...], *, complete: bool) -> None:
    """Hold the images without a labelled pixel against the published list of those left out."""
    listed = set(recipe.excluded)
    if not complete or set(derived) == listed:
        return
    more, fewer = sorted(set(derived) - listed), sorted(listed - set(derived))
    found = f"{plural(len(derived), 'image')} of {recipe.name} {form(len(derived), 'has', 'have')} no labelled pixel"
    raise BenchmarkError(
        f"{source}: {found}, published are {len(listed)}: "
        f"not expected {', '.join(more[:SHOWN]) or 'none'}; expected {', '.join(fewer[:SHOWN]) or 'none'}. "
        f"Their annotations are not the published ones; fetch them again."
    )


def _release(facts: Iterable[PairFacts], source: Path) -> str:
    """Return the generation of the annotations in words. Raises BenchmarkError where there are two."""
    by_release: dict[str, str] = {}
    for one in facts:
        by_release.setdefault(one.release, one.id)
    if len(by_release) > 1:
        mixed = " and ".join(f"{release} ({example})" for release, example in sorted(by_release.items()))
        raise BenchmarkError(f"{source}: annotations of {mixed} are mixed. Take those of one published archive.")
    release = next(iter(by_release))
    return f", {release} annotations" if release else ""


def _faults(recipe: Recipe, faults: list[str], total: int) -> str:
    lines = [f"  {fault}" for fault in sorted(faults)[:SHOWN]]
    more = [f"  ... and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    count = f"{len(faults)} of {plural(total, 'pair')} {form(len(faults), 'is', 'are')}"
    head = f"{recipe.name}: {count} not sound; the others are converted and kept."
    return "\n".join([head, *lines, *more])


def _job(recipe: Recipe, layout: Layout, listing: Listing, book: Journal, image_id: str) -> Job:
    image, mask = listing.image[image_id], listing.mask[image_id]
    stamp = f"{image.stamp} {mask.stamp}"
    return Job(
        id=image_id,
        image=image,
        mask=mask,
        image_to=layout.image_path(image_id),
        mask_to=layout.mask_path(image_id),
        format=recipe.format,
        classes=len(recipe.classes),
        drop_unlabelled=recipe.drop_unlabelled,
        stamp=stamp,
        known=book.known(image_id, stamp),
    )


def _layout(recipe: Recipe, target: Path, parts: Mapping[Part, tuple[str, ...]]) -> Layout:
    return Layout(
        name=recipe.name,
        title=recipe.title,
        classes=recipe.classes,
        images=target / IMAGES,
        masks=target / MASKS,
        image_suffix=".jpg",
        mask_suffix=".png",
        parts={part: parts.get(part, ()) for part in PARTS},
        pixel_digest=_by_pixels(recipe),
    )


def _by_pixels(recipe: Recipe) -> bool:
    """Return whether masks are encoded here, by a library whose bytes may differ from version to version."""
    return recipe.format != "class ids"


def _description(recipe: Recipe, made: Manifest) -> str:
    """Return the content of ``dataset.yaml``."""
    content = {
        "name": recipe.name,
        "title": f"{recipe.title}, {made.partial}" if made.partial else recipe.title,
        "classes": list(recipe.classes),
        "images": IMAGES,
        "masks": MASKS,
        "lists": {part: f"{LISTS}/{part}.txt" for part in made.images},
        "digest": "pixels" if _by_pixels(recipe) else "files",
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


@contextmanager
def _held(target: Path) -> Iterator[None]:
    """Have the target folder for oneself, free of what a killed run left half-written, before and after."""
    if target.exists() and not target.is_dir():
        raise BenchmarkError(f"{target}: is a file; give a folder with --to.")
    for folder in (IMAGES, MASKS, LISTS):
        (target / folder).mkdir(parents=True, exist_ok=True)
    foreign = sorted(path.name for path in target.iterdir() if path.name not in OWN)
    ours = (target / journal.NAME).exists()
    strange = foreign or ([] if ours else [name for name in (IMAGES, MASKS, DESCRIPTION) if _filled(target / name)])
    if strange:
        raise BenchmarkError(
            f"{target}: holds {', '.join(strange[:5])}, which `data prepare` did not make. Choose an empty folder."
        )
    try:
        with FileLock(target / ".lock", timeout=0):
            _remove_drafts(target)
            try:
                yield
            finally:
                _remove_drafts(target)
    except Timeout as error:
        raise BenchmarkError(
            f"{target}: another `data prepare` works there. Wait for it, or choose another."
        ) from error


def _filled(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _remove_drafts(target: Path) -> None:
    for folder in (target, target / IMAGES, target / MASKS, target / LISTS):
        for path in folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def _conceal(target: Path) -> None:
    """Let the folder be no dataset while it changes."""
    for name in (DESCRIPTION, MANIFEST):
        (target / name).unlink(missing_ok=True)


def _remove_others(layout: Layout, before: Iterable[str]) -> None:
    """Remove what earlier runs made of pairs that are no longer wanted."""
    for image_id in set(before) - set(layout.ids()):
        layout.image_path(image_id).unlink(missing_ok=True)
        layout.mask_path(image_id).unlink(missing_ok=True)


def _recorded(target: Path) -> Manifest | None:
    try:
        return manifests.read_manifest(target / MANIFEST)
    except BenchmarkError:
        return None


def _write_if_new(path: Path, text: str) -> None:
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)
