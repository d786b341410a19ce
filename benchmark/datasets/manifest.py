"""What a dataset's folder holds, file by file: written when it is prepared, or verified for the first time.

With it the digest of 20,000 images takes a look at sizes and times instead of reading them all.
"""

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.datasets.base import IGNORE, Part
from benchmark.errors import BenchmarkError
from benchmark.files import sha256, write_text
from benchmark.program import program
from benchmark.validation import validated

FORMAT = 1


@dataclass(frozen=True)
class FileFacts:
    """Size and SHA-256 of a file; ``pixels`` is that of a mask's class ids (``pixel_digest``)."""

    bytes: int
    sha256: str
    pixels: str = ""


@dataclass(frozen=True)
class PairFacts:
    """What an image and its mask are.

    Attributes:
        id: of the image.
        width, height: of both, pixels as stored.
        mode: of the image: RGB, L or CMYK.
        orientation: EXIF tag of the image; 1 is upright. Only a remark: no reader here turns images.
        counts: class id or 255 -> pixels of the mask.
        image, mask: their files.
        release: generation of the annotation it was made from, where there are several.
    """

    id: str
    width: int
    height: int
    mode: str
    orientation: int
    counts: dict[int, int]
    image: FileFacts
    mask: FileFacts
    release: str = ""

    @property
    def unlabelled(self) -> bool:
        """Whether no pixel has a class."""
        return not any(pixels for value, pixels in self.counts.items() if value != IGNORE)


class ClassCount(NamedTuple):
    """In how many images a class occurs, and in how many pixels of them."""

    name: str
    images: int
    pixels: int


@dataclass(frozen=True)
class Manifest:
    """The content of ``manifest.json``.

    Attributes:
        dataset: its name.
        digest: as in ``DatasetInfo``; results carry it.
        partial: ``34 of 22194 images`` where a published dataset is not complete.
        origin: what it was made from; empty where it was only verified.
        images: part -> how many.
        excluded: images left out because no pixel of theirs has a class.
        unlabelled: images kept although no pixel of theirs has a class.
        turned: images with an EXIF orientation, which is ignored: the pixels as stored belong to the mask.
        modes: kind of image file (RGB, L, CMYK) -> how many.
        smallest, largest: width and height of the images with the fewest and the most pixels.
        void: pixels without a class.
        classes: occurrences, in the order of the ids.
        files: path below the folder -> size and SHA-256.
    """

    dataset: str
    digest: str
    partial: str
    origin: str
    images: dict[Part, int]
    excluded: tuple[str, ...]
    unlabelled: tuple[str, ...]
    turned: tuple[str, ...]
    modes: dict[str, int]
    smallest: tuple[int, int]
    largest: tuple[int, int]
    void: int
    classes: tuple[ClassCount, ...]
    files: dict[str, FileFacts]
    format: int = field(default=FORMAT)

    @cached_property
    def pixels(self) -> int:
        """How many pixels have a class."""
        return sum(one.pixels for one in self.classes)


def summary(pairs: Iterable[PairFacts], classes: tuple[str, ...]) -> dict[str, Any]:
    """Return what the facts of all pairs, at least one, add up to: fields of ``Manifest`` by name."""
    known = list(pairs)
    images, pixels = Counter[int](), Counter[int]()
    for pair in known:
        images.update(pair.counts.keys())
        pixels.update(pair.counts)
    sizes = sorted({(pair.width, pair.height) for pair in known}, key=lambda size: (size[0] * size[1], size))
    return {
        "unlabelled": tuple(pair.id for pair in known if pair.unlabelled),
        "turned": tuple(pair.id for pair in known if pair.orientation != 1),
        "modes": dict(sorted(Counter(pair.mode for pair in known).items())),
        "smallest": sizes[0],
        "largest": sizes[-1],
        "void": pixels[IGNORE],
        "classes": tuple(ClassCount(name, images[i], pixels[i]) for i, name in enumerate(classes)),
    }


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest as a whole, a file a line."""
    content = dataclasses.asdict(manifest)
    files = content.pop("files")
    content["classes"] = [one._asdict() for one in manifest.classes]
    head = json.dumps(content, indent=1).removesuffix("\n}")
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(_plain(facts))}" for name, facts in files.items())
    write_text(path, f'{head},\n "files": {{\n{lines}\n }}\n}}\n')


def read_manifest(path: Path) -> Manifest | None:
    """Return a folder's manifest, ``None`` where there is none. Raises BenchmarkError for one that is damaged."""
    way_out = f"Delete it, then `{program()} data verify` writes a new one."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BenchmarkError(f"cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise BenchmarkError(f"{path}: not a manifest ({error}). {way_out}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BenchmarkError(f"{path}: not a manifest of format {FORMAT}. {way_out}")
    try:
        return validated(Manifest, content, str(path))
    except BenchmarkError as error:
        raise BenchmarkError(f"{error}\n{way_out}") from error


def trusted_facts(path: Path | None, reread: list[Path]) -> Callable[[Path], FileFacts | None]:
    """Return what gives the recorded facts of a file, ``None`` where it must be read; ``path`` is the manifest's.

    A file is believed to be as recorded that has the recorded size and was neither changed nor put there after the
    manifest was written; else its content decides, and it is added to ``reread``. ``data verify`` believes nothing.
    """
    manifest = read_manifest(path) if path else None
    if path is None or manifest is None:
        return lambda _: None
    files, folder, written = manifest.files, path.parent, path.stat().st_mtime_ns

    def known(file: Path) -> FileFacts | None:
        facts = files.get(name_in(folder, file))
        if facts is None:
            return None
        status = file.stat()
        if status.st_size != facts.bytes or status.st_mtime_ns > written:
            return None
        # An older file of the same size, moved or copied there with its time, has a younger change of its entry.
        if status.st_ctime_ns <= written:
            return facts
        reread.append(file)
        return facts if sha256(file) == facts.sha256 else None

    return known


def vouch_again(path: Path, since: int) -> None:
    """Let a manifest vouch from now on for files that were found as recorded after ``since`` (ns).

    So a dataset that was copied with its times is read once. Where the folder cannot be written it is read each time.
    """
    with suppress(OSError):
        os.utime(path, ns=(since, since))


def name_in(folder: Path, path: Path) -> str:
    """Return how a manifest in ``folder`` calls a file."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _plain(facts: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value != ""}
