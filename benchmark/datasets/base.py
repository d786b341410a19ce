"""What every dataset offers: images and full class maps by id."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

IGNORE = 255  # value of pixels without a class, in every mask that leaves this package

Part = Literal["train", "val", "test"]
Image = NDArray[np.uint8]  # (H, W, 3) RGB
Mask = NDArray[np.uint8]  # (H, W), class ids 0..K-1 or IGNORE
ImageReader = Callable[[str], Image]


@dataclass(frozen=True)
class DatasetInfo:
    """What a plan needs to know of a dataset.

    Attributes:
        name: as on the command line.
        title: as in a caption.
        classes: names in the order of their ids.
        digest: SHA-256 (hex) of all that can change a pixel or a list.
        train: number of training images.
        test: number of test images.
        partial: ``34 of 22194 images`` where a published dataset is not complete; empty otherwise.
        parts: part -> digest of what belongs to it, for a dataset of the user's own; empty for published ones, whose
            stages are identified by all of it.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    digest: str
    train: int
    test: int
    partial: str = ""
    parts: Mapping["Part", str] = field(default_factory=dict)

    def digest_of(self, part: "Part") -> str:
        """Return the digest that a stage depends on which reads one part."""
        return self.parts.get(part) or self.digest


class Dataset(Protocol):
    """Images with full ground truth. Arrays that are returned are the caller's own: changing them changes nothing."""

    ignore: int

    @property
    def info(self) -> DatasetInfo: ...

    def ids(self, part: Part) -> tuple[str, ...]:
        """Return the ids of a part in a fixed order."""

    def image(self, image_id: str) -> Image:
        """Return an image, (H, W, 3) uint8 RGB. Raises BenchmarkError for a file that cannot be read."""

    def mask(self, image_id: str) -> Mask:
        """Return the class map of an image, (H, W) uint8. Raises BenchmarkError for a file that is not sound."""


@runtime_checkable
class SeparatesImages(Protocol):
    """A dataset whose images can be read through an object that does not lead to the masks."""

    def image_reader(self) -> ImageReader:
        """Return a function from an image's id to the image."""


@dataclass(frozen=True)
class Split:
    """A partition of the classes of a dataset; ids are positions in the list of class names, ascending."""

    dataset: str
    name: str
    novel: tuple[int, ...]
    base: tuple[int, ...]

    @property
    def novel_ratio(self) -> float:
        """Share of the classes that is novel, 0..1."""
        return len(self.novel) / (len(self.novel) + len(self.base))
