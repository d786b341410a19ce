"""Where the files of a dataset lie, before anybody looks at an image."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.datasets.base import IGNORE, Part
from benchmark.errors import BenchmarkError

LARGEST_VALUE = 65535  # that a mask file can hold
MANIFEST = "manifest.json"  # what is in the folder (benchmark.datasets.manifest)


@dataclass(frozen=True)
class Layout:
    """Where the files of a dataset lie and what they mean.

    Attributes:
        name: as on the command line.
        title: as in a caption.
        classes: names in the order of their ids.
        images, masks: folders; the image of id ``a`` is ``images/a<image_suffix>``.
        image_suffix, mask_suffix: with the dot.
        parts: part -> ids.
        ignore: value of unlabelled pixels in the mask files.
        pixel_digest: masks enter the digest by their class ids, not by the bytes of their files.
        manifest: path of the file that knows the digests of all others; it need not be there.
        partial: as in ``DatasetInfo``.
        parts_apart: whether stages are identified by the part that they read alone.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    images: Path
    masks: Path
    image_suffix: str
    mask_suffix: str
    parts: Mapping[Part, tuple[str, ...]]
    ignore: int = IGNORE
    pixel_digest: bool = False
    manifest: Path | None = None
    partial: str = ""
    parts_apart: bool = False

    def image_path(self, image_id: str) -> Path:
        return self.images / f"{image_id}{self.image_suffix}"

    def mask_path(self, image_id: str) -> Path:
        return self.masks / f"{image_id}{self.mask_suffix}"

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all parts, each once, in the order of the lists."""
        return tuple(dict.fromkeys(image_id for ids in self.parts.values() for image_id in ids))


def read_list(path: Path) -> tuple[str, ...]:
    """Return the ids of a list file, one a line, empty lines skipped. Raises BenchmarkError where it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # some editors put a mark before the first name
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BenchmarkError(
            f"cannot read the list {path}: {reason}. It holds one image name without suffix a line."
        ) from error
    names = tuple(line.strip() for line in lines if line.strip())
    for name in names:
        check_name(name, str(path))
    return names


def check_name(name: str, where: str) -> None:
    """Raise BenchmarkError for the name of an image that leads out of a folder: results lie under it, too."""
    if (
        any(part in {"", ".", ".."} for part in name.split("/"))
        or "\\" in name
        or ":" in name.partition("/")[0]
        or not name.isprintable()
    ):
        raise BenchmarkError(
            f"{where}: {name!r} is no name of an image: expected a path below the folder of the images, without "
            f"suffix, as in street/0001; found one that is absolute, leads upwards, or holds \\ , a drive or control "
            f"characters."
        )
