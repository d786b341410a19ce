"""Training images at the size at which label maps are made."""

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets import TrainingView
from benchmark.datasets.base import Image, Mask
from benchmark.datasets.transforms import resize_image, resize_labels, resized_size
from benchmark.labels import mask_path, write_mask
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.wsss.settings import LabellingSettings


class WorkingImages:
    """A training view whose images are no larger than ``labelling.short`` says; tags are those of the images.

    Attributes:
        view: the images at their own size.
        ids, classes, novel: of the view.
    """

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self.view: TrainingView = context.training_view()
        self._short = from_json(LabellingSettings, context.params["labelling"]).short
        view = self.view
        self.ids, self.classes, self.novel = view.ids, view.classes, view.novel

    def size(self, image_id: str) -> tuple[int, int]:
        """Return height and width."""
        height, width = self.view.size(image_id)
        if not self._short or min(height, width) <= self._short:
            return height, width
        return resized_size(height, width, self._short, max(height, width))

    def image(self, image_id: str) -> Image:
        """Return the image, (H, W, 3) uint8 RGB."""
        return resize_image(self.view.image(image_id), self.size(image_id))

    def labels(self, image_id: str) -> frozenset[int]:
        """Return the classes of the whole image, base and novel."""
        return self.view.labels(image_id)

    def base_mask(self, image_id: str) -> Mask:
        """Return the mask, (H, W) uint8, with 255 on novel and unlabelled pixels."""
        return resize_labels(self.view.base_mask(image_id), self.size(image_id))

    def write(self, image_id: str, labels: NDArray[np.integer]) -> Mask:
        """Write labels (H, W) as the label map of the image in the stage's folder; return them at the image's size."""
        large = resize_labels(labels.astype(np.uint8), self.view.size(image_id))
        write_mask(mask_path(self._context.out, image_id), large)
        return large
