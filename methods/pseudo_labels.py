"""Pseudo labels: a trained model's novel pixels beside the base masks, for re-training ("SimFormer*", "RETAB*")."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from benchmark.datasets import IGNORE, Crop, TrainingView, Window
from benchmark.datasets.base import Image, Mask
from benchmark.datasets.transforms import crop_labels, flip_and_pad
from benchmark.errors import BenchmarkError
from benchmark.stage import StageContext
from methods.checkpoints import MODEL_FILE, load_model
from methods.maskformer.inference import predict
from methods.settings import InputSettings, from_json


def merge(
    prediction: NDArray[np.integer],
    labels: Iterable[int],
    novel: Collection[int],
    base_mask: NDArray[np.integer],
) -> NDArray[np.uint8]:
    """Return the label map to re-train on: base masks, over predicted novel classes that the image has, over 255.

    Pixels predicted as a base class, or as a novel class the image does not have, and without a base mask stay 255.

    Args:
        prediction: (H, W) ids, the highest score of all K classes.
        labels: the classes the full image is known to have, base and novel.
        novel: ids of all novel classes.
        base_mask: (H, W) base ids, 255 elsewhere.

    Raises:
        ValueError: the sizes differ, or ``base_mask`` shows novel pixels, which nothing may know here.
    """
    if prediction.shape != base_mask.shape:
        raise ValueError(f"prediction {prediction.shape} and base mask {base_mask.shape} differ in size")
    kept = np.full(IGNORE + 1, IGNORE, dtype=np.uint8)  # predicted id -> written id
    present = [c for c in labels if c in novel]
    kept[present] = present
    is_novel = np.zeros(IGNORE + 1, dtype=bool)
    is_novel[list(novel)] = True
    if is_novel[base_mask].any():
        raise ValueError("the base mask shows pixels of novel classes")
    return np.where(base_mask != IGNORE, base_mask, kept[prediction]).astype(np.uint8)


def generate(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes one 8-bit PNG a training image, predicted by the network of input stage ``model`` [7]."""
    view = context.training_view()
    model = load_model(context.inputs["model"] / MODEL_FILE, context.device)
    settings = from_json(InputSettings, context.params["input"])
    filled = pixels = 0
    for done, image_id in enumerate(view.ids, start=1):
        base_mask = view.base_mask(image_id)
        prediction = predict(model, view.image(image_id), settings)
        merged = merge(prediction, view.labels(image_id), view.novel, base_mask)
        write_mask(mask_path(context.out, image_id), merged)
        filled += int((merged != base_mask).sum())
        pixels += int((base_mask == IGNORE).sum())
        context.progress(done, len(view.ids))
    return {"images": len(view.ids), "filled_share": filled / max(1, pixels)}


def mask_path(folder: Path, image_id: str) -> Path:
    """Return where the pseudo mask of an image lies in a stage's folder."""
    return folder / "masks" / f"{image_id}.png"


def write_mask(path: Path, mask: NDArray[np.uint8]) -> None:
    """Write an 8-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(mask).save(path)


class PseudoLabelledImages:
    """Training images whose novel masks are pseudo labels: every class that a crop shows has a mask [7].

    Raises:
        BenchmarkError: a pseudo mask is missing, or not of its image's size. There is no fall-back: the released code
            silently trains on the full ground truth then.
    """

    def __init__(self, view: TrainingView, folder: Path) -> None:
        self._view = view
        self.ids = view.ids
        self.novel = view.novel
        self._masks = {image_id: self._read(mask_path(folder, image_id), view.size(image_id)) for image_id in view.ids}

    def size(self, image_id: str) -> tuple[int, int]:
        """Return height and width."""
        return self._view.size(image_id)

    def crop(self, image_id: str, window: Window, adjust: Callable[[Image], Image] | None = None) -> Crop:
        """Return what ``window`` shows, with pseudo labels; no class is known by presence alone."""
        crop = self._view.crop(image_id, window, adjust)
        labels = flip_and_pad(crop_labels(self._masks[image_id], window), window, IGNORE)
        return crop._replace(labels=labels, present_novel=())

    @staticmethod
    def _read(path: Path, size: tuple[int, int]) -> Mask:
        try:
            mask = np.array(Pillow.open(path))
        except (OSError, SyntaxError) as error:
            raise BenchmarkError(
                f"pseudo label {path} cannot be read ({error}). Remove the folder of that stage and run again; "
                f"re-training never falls back to the ground truth."
            ) from error
        if mask.shape != size or mask.dtype != np.uint8:
            raise BenchmarkError(f"pseudo label {path} is {mask.shape} {mask.dtype}, its image is {size}, uint8.")
        return mask
