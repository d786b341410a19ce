"""The embedded dataset: 20 classes, 600 + 100 + 200 pictures of 64 x 64, drawn in seconds when first needed."""

import hashlib
from dataclasses import asdict
from functools import cache, partial

from benchmark.datasets.base import IGNORE, DatasetInfo, Image, ImageReader, Mask, Part
from benchmark.datasets.world import CLASSES, VERSION, Picture, World, WorldParameters
from benchmark.errors import unknown
from benchmark.files import canonical_json
from benchmark.split_files import split_file

COUNTS: dict[Part, int] = {"train": 600, "val": 100, "test": 200}
_PARTS: tuple[Part, ...] = tuple(COUNTS)


class MiniDataset:
    """Pictures of the mini world; ids are ``train-0000``, ``val-0000``, ``test-0000``, ..."""

    ignore = IGNORE

    def __init__(self, parameters: WorldParameters | None = None) -> None:
        self._parameters = parameters or WorldParameters()
        self._ids = {part: tuple(f"{part}-{i:04d}" for i in range(n)) for part, n in COUNTS.items()}

    @property
    def info(self) -> DatasetInfo:
        """Draws nothing."""
        said = canonical_json({"version": VERSION, "counts": COUNTS, "classes": CLASSES, **asdict(self._parameters)})
        digest = hashlib.sha256(said.encode()).hexdigest()
        return DatasetInfo("mini", split_file("mini").title, CLASSES, digest, COUNTS["train"], COUNTS["test"])

    def ids(self, part: Part) -> tuple[str, ...]:
        return self._ids[part]

    def image(self, image_id: str) -> Image:
        return _image(self._parameters, image_id)

    def image_reader(self) -> ImageReader:
        return partial(_image, self._parameters)  # it leads to the world's parameters and to no mask

    def mask(self, image_id: str) -> Mask:
        return _drawn(self._parameters, image_id).mask.copy()


def _image(parameters: WorldParameters, image_id: str) -> Image:
    return _drawn(parameters, image_id).image.copy()


def _drawn(parameters: WorldParameters, image_id: str) -> Picture:
    part, index = _place(image_id)
    return _pictures(parameters, part)[index]


@cache
def _pictures(parameters: WorldParameters, part: Part) -> tuple[Picture, ...]:
    """Return all pictures of a part; drawn once a process."""
    world = World(parameters)
    return tuple(world.picture(_PARTS.index(part), index) for index in range(COUNTS[part]))


def _place(image_id: str) -> tuple[Part, int]:
    """Return part and index of an id."""
    part, _, number = image_id.partition("-")
    for known in _PARTS:
        if part == known and number.isdigit() and len(number) == 4 and int(number) < COUNTS[known]:
            return known, int(number)
    raise unknown("image of dataset mini", image_id, (f"{known}-0000" for known in _PARTS))
