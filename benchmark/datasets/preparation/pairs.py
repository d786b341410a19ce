"""One image and its mask: read as published, checked, and put in place as the common layout wants them."""

import dataclasses
import hashlib
import os
import struct
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow

from benchmark.datasets.base import IGNORE, Mask
from benchmark.datasets.files import class_ids, pixel_digest
from benchmark.datasets.image_files import check_photograph, decoded, mask_values
from benchmark.datasets.layout import Layout
from benchmark.datasets.manifest import FileFacts, PairFacts
from benchmark.datasets.preparation.matlab import read_annotation
from benchmark.datasets.preparation.recipes import Masks
from benchmark.datasets.preparation.trees import Member
from benchmark.errors import BenchmarkError
from benchmark.files import FULL, sha256, unreachable, write_bytes

_ORIENTATION = 0x0112  # EXIF tag
_NOWHERE = FileFacts(0, "")
_SCENEPARSE = np.concatenate([[IGNORE], np.arange(IGNORE)]).astype(np.uint8)  # value -> class id; 0 is "other"


class Job(NamedTuple):
    """A pair to convert.

    Attributes:
        image, mask: as published.
        image_to, mask_to: where they belong.
        format: of the published mask.
        classes: how many there are.
        drop_unlabelled: whether a pair without a labelled pixel is left out.
        stamp: of both published files.
        known: what became of them before, if the stamp was the same.
    """

    id: str
    image: Member
    mask: Member
    image_to: Path
    mask_to: Path
    format: Masks
    classes: int
    drop_unlabelled: bool
    stamp: str
    known: PairFacts | None


class PairOutcome(NamedTuple):
    """What became of a pair: its facts, or what is wrong with it. Facts without files: left out."""

    id: str
    stamp: str
    facts: PairFacts | None
    fault: str = ""


class Photo(NamedTuple):
    width: int
    height: int
    mode: str
    orientation: int


class _Ids(NamedTuple):
    mask: Mask
    file: bytes  # a PNG that holds it
    as_published: bool
    release: str = ""


def convert(job: Job) -> PairOutcome:
    """Put a pair in place, each file at once, unless it is there already and intact.

    Raises OSError where it cannot be written; whatever is wrong with the published files is in the outcome.
    """
    if job.known and _intact(job, job.known):
        return PairOutcome(job.id, job.stamp, job.known)
    try:
        image = job.image.read()
        shown = photo(image, str(job.image), job.image_to.suffix)
        ids = _ids(job)
        check_size(ids.mask, shown, str(job.mask))
    except BenchmarkError as error:
        return PairOutcome(job.id, job.stamp, None, str(error))
    facts = PairFacts(job.id, *shown, counts(ids.mask), _NOWHERE, _NOWHERE, ids.release)
    if facts.unlabelled and job.drop_unlabelled:
        return PairOutcome(job.id, job.stamp, facts)
    _place(job.mask_to, ids.file, job.mask.path if ids.as_published else None)
    _place(job.image_to, image, job.image.path)
    mask_facts = _facts(ids.file, pixel_digest(ids.mask))
    return PairOutcome(job.id, job.stamp, dataclasses.replace(facts, image=_facts(image), mask=mask_facts))


def examine(layout: Layout, image_id: str) -> PairOutcome:
    """Read a pair that is in place."""
    image_path, mask_path = layout.image_path(image_id), layout.mask_path(image_id)
    try:
        image = _bytes(image_path)
        shown = photo(image, str(image_path), layout.image_suffix)
        mask = class_ids(layout, image_id)
        check_size(mask, shown, str(mask_path))
        files = _facts(image), _facts(_bytes(mask_path), pixel_digest(mask))
    except BenchmarkError as error:
        return PairOutcome(image_id, "", None, str(error))
    return PairOutcome(image_id, "", PairFacts(image_id, *shown, counts(mask), *files))


def photo(content: bytes, where: str, suffix: str) -> Photo:
    """Return what an image file is, decoded once to see that it is whole.

    Width and height are those of the pixels as stored: masks are drawn on them, and no reader here turns an image by
    its EXIF orientation. Raises BenchmarkError for a file that is damaged or of another kind than its suffix says.
    """
    return decoded(content, where, lambda picture: _shown(picture, where, suffix))


def _shown(picture: Pillow.Image, where: str, suffix: str) -> Photo:
    check_photograph(picture, where, suffix)
    shown = Photo(*picture.size, picture.mode, _orientation(picture))
    picture.draft(None, (1, 1))  # a JPEG is read to its end, yet unfolds to a 64th of its pixels
    picture.load()
    return shown


def check_size(mask: Mask, shown: Photo, where: str) -> None:
    """Raise BenchmarkError for a mask that has not the size of its image."""
    height, width = mask.shape
    if (width, height) == (shown.width, shown.height):
        return
    turned = (height, width) == (shown.width, shown.height)
    if turned and shown.orientation != 1:
        reason = f"The image says by EXIF orientation {shown.orientation} that it lies on its side; turn its pixels"
    elif turned:
        reason = "One of them lies on its side; turn it"
    else:
        reason = "They do not belong together; fetch both again"
    raise BenchmarkError(
        f"{where}: the mask is {width} x {height} pixels, its image {shown.width} x {shown.height}. {reason}."
    )


def counts(mask: Mask) -> dict[int, int]:
    """Return value -> pixels, for the values that occur."""
    pixels = np.bincount(mask.ravel(), minlength=IGNORE + 1)
    return {int(value): int(pixels[value]) for value in np.flatnonzero(pixels)}


def _ids(job: Job) -> _Ids:
    """Return the class ids of a published mask, and a file that holds them. Raises BenchmarkError for a wrong one."""
    content, where = job.mask.read(), str(job.mask)
    if job.format == "coco-stuff":
        found = read_annotation(content, where)
        return _Ids(found.mask, _png(found.mask), as_published=False, release=found.release)
    values = _values(content, where)
    if job.format == "sceneparse":
        _check_values(values, where, f"0..{job.classes}, 0 for other", values <= job.classes)
        mask: Mask = _SCENEPARSE[values]
        return _Ids(mask, _png(mask), as_published=False)
    known = (values < job.classes) | (values == IGNORE)
    _check_values(values, where, f"0..{job.classes - 1}, {IGNORE} for unlabelled", known)
    return _Ids(values, content, as_published=True)


def _values(content: bytes, where: str) -> Mask:
    """Return what a mask PNG holds, (H, W) uint8."""
    values = decoded(content, where, lambda picture: mask_values(picture, where, ".png"))
    _check_values(values, where, "0..255", (values >= 0) & (values <= IGNORE))
    return values.astype(np.uint8)


def _check_values(values: Mask, where: str, expected: str, good: np.ndarray) -> None:
    wrong = np.unique(values[~good])
    if wrong.size:
        raise BenchmarkError(
            f"{where}: holds ids {wrong[:5].tolist()}; expected {expected}. It was converted already, or belongs to "
            f"another dataset; give the published files."
        )


def _orientation(picture: Pillow.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, ValueError, TypeError, struct.error):  # a damaged tag does not harm the pixels
        return 1


def _png(mask: Mask) -> bytes:
    stream = BytesIO()
    Pillow.fromarray(mask).save(stream, "PNG")
    return stream.getvalue()


def _facts(content: bytes, pixels: str = "") -> FileFacts:
    return FileFacts(len(content), hashlib.sha256(content).hexdigest(), pixels)


def _intact(job: Job, known: PairFacts) -> bool:
    """Return whether the files are in place as they were left; a pair that was left out has none."""
    if known.unlabelled and job.drop_unlabelled:
        return True
    try:
        return all(
            path.stat().st_size == facts.bytes and sha256(path) == facts.sha256
            for path, facts in ((job.image_to, known.image), (job.mask_to, known.mask))
        )
    except OSError:
        return False


def _place(path: Path, content: bytes, original: Path | None) -> None:
    """Let a file appear as a whole: as another name of the published file where that can be, else written."""
    if original is not None:
        path.unlink(missing_ok=True)  # a rename over another name of the same file would do nothing
        try:
            os.link(original.resolve(), path)
        except OSError as error:
            if error.errno in FULL:
                raise
        else:
            return
    write_bytes(path, content, durable=False)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        said = unreachable(error) or f"{path}: cannot be read ({error.strerror}). Restore it."
        raise BenchmarkError(said) from error
