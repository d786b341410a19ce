"""How fast training images are made, from photographs drawn for the purpose: ``measure --input``."""

import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from PIL import Image as Pillow

from benchmark.costs.photographs import COCO, draw_mask, draw_photograph, write_photograph
from benchmark.datasets import DatasetInfo, TrainingView, Window
from benchmark.datasets.base import Image, Mask, Part
from benchmark.datasets.colour import colour_jitter
from benchmark.datasets.transforms import crop_image, random_window
from benchmark.errors import BenchmarkError
from benchmark.execute.machine import available_cores
from benchmark.randomness import generator
from benchmark.stage import Stage
from benchmark.wording import plural

HEIGHT, WIDTH = COCO
CLASSES = 171
DIFFERENT = 16  # photographs; more images are other crops of them
WARM_UP = 4  # images

R = TypeVar("R")


class InputSpeed(NamedTuple):
    """What was measured.

    Attributes:
        stage: whose settings were taken.
        images: that were made.
        sections: part of the work -> CPU milliseconds an image.
        per_cpu_second: images, on a core that does nothing else.
        per_second: number of threads -> images a second, on this machine as busy as it is.
    """

    stage: str
    images: int
    sections: dict[str, float]
    per_cpu_second: float
    per_second: dict[int, float]

    def as_text(self) -> str:
        """Return a table, the largest part first."""
        total = sum(self.sections.values())
        width = max(map(len, self.sections))
        rows = sorted(self.sections.items(), key=lambda item: -item[1])
        return "\n".join(
            [
                f"input of {self.stage}, mean of {plural(self.images, 'crop')} of {WIDTH} x {HEIGHT} photographs",
                *(f"{label:<{width}}  {ms:8.2f} ms  {100 * ms / total:5.1f} %" for label, ms in rows),
                f"{'image':<{width}}  {total:8.2f} ms of CPU time: {self.per_cpu_second:.1f} images a CPU second",
                *(
                    f"{rate:.1f} images a second by {plural(count, 'thread')}"
                    for count, rate in self.per_second.items()
                ),
            ]
        )


def measure_input(stage: Stage, images: int) -> InputSpeed:
    """Make training images as the stage does, but one draw each.

    Raises:
        BenchmarkError: the stage does not train on crops.
    """
    settings: Mapping[str, Any] = stage.params.get("input", {})
    if "train_short" not in settings:
        raise BenchmarkError(f"stage {stage.name!r} makes no training images; choose another row with --row.")
    with tempfile.TemporaryDirectory(prefix="weakshot-input-") as folder:
        crops = _Crops(draw_photographs(Path(folder)), settings)
        for number in range(WARM_UP):
            crops.make(number)
        sections = crops.sections(images)
        rates = {threads: _rate(crops, images, threads) for threads in sorted({1, available_cores()})}
    return InputSpeed(stage.name, images, sections, 1000 / sum(sections.values()), rates)


def draw_photographs(folder: Path) -> Path:
    """Write JPEG files with the size and, roughly, the detail of photographs; return the folder."""
    rng = np.random.default_rng(0)
    for number in range(DIFFERENT):
        write_photograph(draw_photograph(rng, COCO), folder / f"{number}.jpg")
    return folder


class _Photographs:
    """The files as a dataset. Each is read anew: those of a large dataset do not stay in memory."""

    ignore = 255

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        rng = np.random.default_rng(0)
        self._masks = [draw_mask(rng, COCO, CLASSES) for _ in range(DIFFERENT)]
        self.info = DatasetInfo("photographs", "", tuple(map(str, range(CLASSES))), "", DIFFERENT, 0)

    def ids(self, part: Part) -> tuple[str, ...]:
        return tuple(map(str, range(DIFFERENT))) if part == "train" else ()

    def image(self, image_id: str) -> Image:
        with Pillow.open(self._folder / f"{image_id}.jpg") as picture:
            return np.array(picture.convert("RGB"))

    def mask(self, image_id: str) -> Mask:
        return self._masks[int(image_id)].copy()


class _Crops:
    """Crops of the photographs as the settings want them."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._view = TrainingView(_Photographs(folder), range(0, CLASSES, 4))
        self._settings = settings

    def make(self, number: int) -> None:
        rng = generator(0, "crop", number)
        window = self._window(rng)
        self._view.crop(str(number % DIFFERENT), window, partial(colour_jitter, rng) if self._jitters else None)

    def sections(self, images: int) -> dict[str, float]:
        """Return part -> CPU milliseconds an image; what has no name of its own is made once more, for its time."""
        spent = dict.fromkeys(("decode", "resize", "colour jitter", "labels, flip, pad"), 0.0)
        for number in range(images):
            rng = generator(0, "crop", number)
            window = self._window(rng)
            whole, _ = _timed(partial(self.make, number))
            decode, image = _timed(partial(self._view.image, str(number % DIFFERENT)))
            resize, crop = _timed(partial(crop_image, image, window))
            jitter = _timed(partial(colour_jitter, rng, crop))[0] if self._jitters else 0.0
            rest = max(0.0, whole - decode - resize - jitter)
            for label, milliseconds in zip(spent, (decode, resize, jitter, rest), strict=True):
                spent[label] += milliseconds / images
        return spent

    @property
    def _jitters(self) -> bool:
        return bool(self._settings["colour_jitter"])

    def _window(self, rng: np.random.Generator) -> Window:
        s = self._settings
        return random_window(rng, (HEIGHT, WIDTH), s["train_short"], s["train_longest"], s["crop"], flip=s["flip"])


def _timed(work: Callable[[], R]) -> tuple[float, R]:
    """Return the CPU milliseconds of this thread, and the result."""
    began = time.thread_time()
    result = work()
    return 1000 * (time.thread_time() - began), result


def _rate(crops: _Crops, images: int, threads: int) -> float:
    """Return images a second of wall time."""
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(crops.make, range(images)))
    return images / (time.perf_counter() - began)
