"""Label maps: how a stage leaves labels of images, and how those find them that learn from, score or show them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BenchmarkError
from benchmark.stage import Stage
from benchmark.wording import plural

if TYPE_CHECKING:
    from benchmark.datasets.base import Mask

LABELS = "labels"  # the role in which an evaluation stage reads the label maps that it scores


def label_stage(evaluation: Stage) -> Stage | None:
    """Return the stage whose label maps an evaluation scores; ``None`` where it scores something else."""
    return evaluation.inputs.get(LABELS) if evaluation.access == "evaluation" else None


def prediction_stage(evaluation: Stage, images: Sequence[str], share: float = 1.0) -> Stage:
    """Return the stage that writes the label maps of some images as an evaluation predicts them.

    Args:
        evaluation: whose method offers them (``Stage.maps``).
        images: their ids.
        share: of the images of the evaluation, for the estimate of the cost.
    """
    return replace(
        evaluation,
        kind="predict",
        name=f"predictions for {plural(len(images), 'image')}, {evaluation.name}",
        function=evaluation.maps,
        params={**evaluation.params, "images": list(images)},
        cost=evaluation.cost * share,
        maps="",
    )


def mask_path(folder: Path, image_id: str) -> Path:
    """Return where the label map of an image lies in a stage's folder; ids in it that are no class mean no label."""
    return folder / "masks" / f"{image_id}.png"


def write_mask(path: Path, mask: NDArray[np.uint8]) -> None:
    """Write an 8-bit PNG."""
    from PIL import Image as Pillow

    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(mask).save(path)


def read_mask(path: Path, size: tuple[int, ...]) -> "Mask":
    """Return a label map (H, W) uint8 of ``write_mask``. Raises BenchmarkError where it is missing or of another size.

    There is no fall-back: the released code silently trains on the full ground truth then.
    """
    from PIL import Image as Pillow

    try:
        with Pillow.open(path) as picture:
            mask = np.array(picture)
    except (OSError, SyntaxError) as error:
        raise BenchmarkError(
            f"label map {path} cannot be read ({error}). Remove the folder of that stage and run again; "
            f"nothing falls back to the ground truth."
        ) from error
    if mask.shape != size or mask.dtype != np.uint8:
        raise BenchmarkError(
            f"label map {path} is {mask.shape} {mask.dtype}, its image is {size}, uint8. Remove the folder of that "
            f"stage and run again."
        )
    return mask
