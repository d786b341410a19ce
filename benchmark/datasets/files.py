"""Datasets whose images and masks are files: one image and one mask an id."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from benchmark.datasets.base import IGNORE, DatasetInfo, Image, ImageReader, Mask, Part
from benchmark.datasets.cache import ArrayCache
from benchmark.datasets.image_files import decoded, mask_values, photograph
from benchmark.datasets.layout import LARGEST_VALUE, Layout
from benchmark.datasets.manifest import read_manifest, trusted_facts, vouch_again
from benchmark.errors import BenchmarkError
from benchmark.files import canonical_json, sha256
from benchmark.wording import form, plural

IMAGE_BUDGET = 384 << 20  # bytes; three quarters of half a GiB, as an image has three channels and a mask one
MASK_BUDGET = 128 << 20
MAX_CLASSES = IGNORE  # ids 0..254 beside 255


class FileDataset:
    """The dataset of a layout, with so many bytes of decoded images held in memory.

    Raises BenchmarkError at once for wrong lists and missing files.
    """

    ignore = IGNORE

    def __init__(self, layout: Layout, *, held: int = IMAGE_BUDGET) -> None:
        check_lists(layout)
        _check_files(layout)
        self.layout = layout
        self._images = ImageFiles(layout, held)
        self._masks = ArrayCache(MASK_BUDGET)

    @cached_property
    def info(self) -> DatasetInfo:
        """Reads once, for the digest, every file that no manifest vouches for."""
        lay = self.layout
        counts = len(self.ids("train")), len(self.ids("test"))
        whole, parts = _file_digests(lay)
        return DatasetInfo(lay.name, lay.title, lay.classes, whole, *counts, partial=lay.partial, parts=parts)

    def ids(self, part: Part) -> tuple[str, ...]:
        return self.layout.parts.get(part, ())

    def image(self, image_id: str) -> Image:
        return self._images(image_id)

    def image_reader(self) -> ImageReader:
        return self._images

    def mask(self, image_id: str) -> Mask:
        return self._masks.get(image_id, self._read_mask)

    def _read_mask(self, image_id: str) -> Mask:
        lay, path = self.layout, self.layout.mask_path(image_id)
        image = lay.image_path(image_id)
        height, width = decoded(image, str(image), lambda picture: picture.size)[::-1]
        mask = class_ids(lay, image_id)
        if mask.shape != (height, width):
            raise BenchmarkError(
                f"{path}: the mask is {mask.shape[1]} x {mask.shape[0]} pixels, its image {width} x {height}. "
                f"Masks have the size of their image; convert it again."
            )
        return mask


class ImageFiles:
    """Reads images by id. Knows their folder, not that of the masks."""

    def __init__(self, layout: Layout, held: int) -> None:
        self._folder, self._suffix = layout.images, layout.image_suffix
        self._held = ArrayCache(held)

    def __call__(self, image_id: str) -> Image:
        return self._held.get(image_id, self._read)

    def _read(self, image_id: str) -> Image:
        path = self._folder / f"{image_id}{self._suffix}"
        return decoded(path, str(path), lambda picture: photograph(picture, str(path), path.suffix))


def class_ids(layout: Layout, image_id: str) -> Mask:
    """Return the mask of an image as uint8 with 255 for unlabelled pixels, (H, W); its size is not checked."""
    path = layout.mask_path(image_id)
    values = decoded(path, str(path), lambda picture: mask_values(picture, str(path), path.suffix))
    labelled = values != layout.ignore
    wrong = np.unique(values[labelled & ((values < 0) | (values >= len(layout.classes)))])
    if wrong.size:
        raise BenchmarkError(
            f"{path}: holds class ids {wrong[:5].tolist()}; {layout.name} has 0..{len(layout.classes) - 1} and "
            f"{layout.ignore} for unlabelled. Convert the mask, or mend the list of classes."
        )
    return np.where(labelled, values, IGNORE).astype(np.uint8)


def check_lists(layout: Layout) -> None:
    """Raise BenchmarkError for classes or lists that are empty, repeat themselves or contradict each other."""
    _check_classes(layout)
    for part, ids in layout.parts.items():
        twice = _repeated(ids)
        if twice:
            raise BenchmarkError(f"{layout.name}: the {part} list names images twice: {', '.join(twice[:5])}.")
        if not ids and part != "val":
            raise BenchmarkError(f"{layout.name}: the {part} list is empty.")
    shared = sorted(set(layout.parts["train"]) & set(layout.parts["test"]))
    if shared:
        raise BenchmarkError(
            f"{layout.name}: {plural(len(shared), 'image')} {form(len(shared), 'is', 'are')} in the train and the "
            f"test list, among them {', '.join(shared[:5])}. A test image must not be trained on."
        )


def _check_classes(layout: Layout) -> None:
    twice = _repeated(layout.classes)
    if twice:
        raise BenchmarkError(f"{layout.name}: class names occur twice: {', '.join(twice)}. Names must differ.")
    if not 2 <= len(layout.classes) <= MAX_CLASSES:
        raise BenchmarkError(
            f"{layout.name}: {plural(len(layout.classes), 'class', 'classes')}; expected 2 to {MAX_CLASSES}."
        )
    if not len(layout.classes) <= layout.ignore <= LARGEST_VALUE:
        raise BenchmarkError(
            f"{layout.name}: ignore: expected {len(layout.classes)} to {LARGEST_VALUE} (no class id), found "
            f"{layout.ignore}. It is the value of unlabelled pixels in the mask files; 255 is usual."
        )


def _check_files(layout: Layout) -> None:
    missing = list(missing_files(layout))
    if missing:
        raise BenchmarkError(
            f"{layout.name}: {plural(len(missing), 'file')} of its lists {form(len(missing), 'is', 'are')} missing, "
            f"the first is {missing[0]}"
            + ("" if len(missing) == 1 else " Restore them, give another root, or take the names out of the lists.")
        )


def missing_files(layout: Layout) -> Iterator[str]:
    """Yield for every file of the lists that is not there its path and the way out."""
    listing: dict[Path, dict[str, str]] = {}
    for image_id in layout.ids():
        for path, setting in (
            (layout.image_path(image_id), "image_suffix"),
            (layout.mask_path(image_id), "mask_suffix"),
        ):
            if path.is_file():
                continue
            if path.parent not in listing:
                there = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
                listing[path.parent] = {name.casefold(): name for name in there}
            other = listing[path.parent].get(path.name.casefold())
            if other is None:
                yield f"{path}: missing; restore it, or take its name out of the lists."
            elif other.startswith(path.stem):
                suffix = other.removeprefix(path.stem)
                yield (
                    f"{path}: missing; the same name ending in {suffix} is there: names differ in case. Rename it or, "
                    f"if all end so, set {setting}: {suffix}."
                )
            else:
                yield f"{path}: missing; {other} is there: names differ in case, rename it or mend the list."


def _repeated(names: tuple[str, ...]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)


def pixel_digest(mask: Mask) -> str:
    """Return the SHA-256 of a mask's size and class ids; PNG files of the same ids differ from encoder to encoder."""
    height, width = mask.shape
    return hashlib.sha256(f"{width} {height} ".encode() + mask.tobytes()).hexdigest()


def digest(layout: Layout, image_digest: Callable[[str], str], mask_digest: Callable[[str], str]) -> str:
    """Return the SHA-256 of classes, lists and the content of every file; the place of the files does not matter.

    The functions return what an image's file and mask add to it, by the image's id.
    """
    parts = {part: list(ids) for part, ids in layout.parts.items()}
    lines = [canonical_json([layout.name, layout.classes, layout.ignore, parts])]
    for image_id in layout.ids():
        lines += [image_digest(image_id), mask_digest(image_id)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _file_digests(layout: Layout) -> tuple[str, dict[Part, str]]:
    """Return the digest of a dataset, and those of its parts where these identify stages."""
    since, reread = time.time_ns(), list[Path]()
    known = trusted_facts(layout.manifest, reread)

    @cache
    def of_image(image_id: str) -> str:
        path = layout.image_path(image_id)
        facts = known(path)
        return facts.sha256 if facts else sha256(path)

    @cache
    def of_mask(image_id: str) -> str:
        path = layout.mask_path(image_id)
        facts = known(path)
        if layout.pixel_digest:
            return facts.pixels if facts and facts.pixels else pixel_digest(class_ids(layout, image_id))
        return facts.sha256 if facts else sha256(path)

    found = digest(layout, of_image, of_mask)
    if reread and layout.manifest:
        recorded = read_manifest(layout.manifest)
        if recorded and recorded.digest == found:
            vouch_again(layout.manifest, since)
    parts = {part: ids for part, ids in layout.parts.items() if ids and layout.parts_apart}
    return found, {part: digest(replace(layout, parts={part: ids}), of_image, of_mask) for part, ids in parts.items()}
