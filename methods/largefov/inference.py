"""From an image to class ids: one scale, no CRF [largefov 3]."""

import numpy as np
import torch

from benchmark.datasets.transforms import resize_image, resized_size
from methods.largefov.network import LargeFov
from methods.maskformer.network import normalise
from methods.maskformer.upsampling import tiled_resize
from methods.settings import InputSettings


@torch.inference_mode()
def predict(model: LargeFov, image: np.ndarray, settings: InputSettings) -> np.ndarray:
    """Return the class ids (H0, W0) int64 of one image (H0, W0, 3) uint8, at its own size, on the model's device.

    Raises:
        ValueError: the model is in training mode.
    """
    if model.training:
        raise ValueError("prediction needs the model in evaluation mode: call model.eval() first")
    height, width = image.shape[:2]
    original = height, width
    size = resized_size(height, width, settings.test_short, settings.test_longest)
    resized = torch.tensor(resize_image(image, size)).to(model.scores.weight.device)
    logits = model(normalise(resized[None]))  # (1, K, H, W)
    tiles = [logits[0]] if size == original else tiled_resize(logits[0], original)
    classes: np.ndarray = torch.cat([tile.argmax(0) for tile in tiles]).cpu().numpy()
    return classes
