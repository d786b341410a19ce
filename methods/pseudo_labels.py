"""Pseudo labels: a trained model's novel pixels beside the base masks, for re-training ("SimFormer*", "RETAB*")."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets import IGNORE, Crop, TrainingView, Window
from benchmark.datasets.base import Image
from benchmark.datasets.transforms import crop_labels, flip_and_pad, resize_labels
from benchmark.labels import mask_path, read_mask, write_mask
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.prediction import predict
from methods.settings import InputSettings
from methods.weights.checkpoints import MODEL_FILE, load_model


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
    writer = PseudoLabelWriter(context, view)
    for image_id in view.ids:
        writer.write(image_id, predict(model, view.image(image_id), settings))
    return writer.summary()


class PseudoLabelWriter:
    """Writes one 8-bit PNG a training image: base masks, over novel tags, over 255; counts what they cover.

    Attributes:
        context: whose ``out`` they go to, and which is told of the progress.
        view: with the novel classes hidden.
    """

    def __init__(self, context: StageContext, view: TrainingView) -> None:
        self.context, self.view = context, view
        self._images = self._unlabelled = self._unknown = self._filled = self._tagged = self._placed = 0

    def write(self, image_id: str, labels: NDArray[np.integer]) -> None:
        """Lay the base mask over ``labels``, classes that the image does not have left out, and write it.

        Labels of another size than the image's are brought to it first.
        """
        base, tags = self.view.base_mask(image_id), self.view.labels(image_id)
        merged = merge(resize_labels(labels, base.shape), tags, self.view.novel, base)
        write_mask(mask_path(self.context.out, image_id), merged)
        shown = set(np.unique(merged).tolist())
        novel = [tag for tag in self.view.novel if tag in tags]
        self._images += 1
        self._unlabelled += shown == {IGNORE}
        self._unknown += int((base == IGNORE).sum())
        self._filled += int((merged != base).sum())
        self._tagged += len(novel)
        self._placed += sum(tag in shown for tag in novel)
        self.context.progress(self._images, len(self.view.ids))

    def summary(self) -> dict[str, Any]:
        """Return how many images have no label, how much of the unknown region has one, and how many novel tags."""
        return {
            "images": self._images,
            "images_without_label": self._unlabelled,
            "unknown_pixels": self._unknown,
            "filled_share": self._filled / max(1, self._unknown),
            "novel_tags": self._tagged,
            "placed_share": self._placed / max(1, self._tagged),
        }


class PseudoLabelledImages:
    """Training images whose novel masks are pseudo labels: every class that a crop shows has a mask [7].

    Images of which no pixel has a label are left out: of ``ids``, not of what can be cropped.

    Raises:
        BenchmarkError: a pseudo mask is missing, or not of its image's size.
    """

    def __init__(self, view: TrainingView, folder: Path) -> None:
        self._view = view
        self.novel = view.novel
        self._masks = {image_id: read_mask(mask_path(folder, image_id), view.size(image_id)) for image_id in view.ids}
        self.ids = tuple(image_id for image_id, mask in self._masks.items() if (mask != IGNORE).any())

    def size(self, image_id: str) -> tuple[int, int]:
        """Return height and width."""
        return self._view.size(image_id)

    def crop(self, image_id: str, window: Window, adjust: Callable[[Image], Image] | None = None) -> Crop:
        """Return what ``window`` shows, with pseudo labels; no class is known by presence alone."""
        crop = self._view.crop(image_id, window, adjust)
        labels = flip_and_pad(crop_labels(self._masks[image_id], window), window, IGNORE)
        return crop._replace(labels=labels, present_novel=())
