"""From an image to class ids: one scale, no CRF [3]."""

import numpy as np
import torch
import torch.nn.functional as F

from benchmark.datasets.transforms import resize_image, resized_size
from methods.largefov.network import LargeFov
from methods.maskformer.network import normalise
from methods.settings import InputSettings


@torch.inference_mode()
def predict(model: LargeFov, image: np.ndarray, settings: InputSettings) -> np.ndarray:
    """Return the class ids (H0, W0) int64 of one image (H0, W0, 3) uint8, at its own size, on the model's device.

    Raises:
        ValueError: the model is in training mode.
    """
    if model.training:
        raise ValueError("prediction needs the model in evaluation mode: call model.eval() first")
    original = height, width = image.shape[:2]
    size = resized_size(height, width, settings.test_short, settings.test_longest)
    resized = torch.tensor(resize_image(image, size)).to(model.scores.weight.device)
    logits = model(normalise(resized[None]))  # (1, K, H, W)
    if size != original:
        logits = F.interpolate(logits, size=original, mode="bilinear", align_corners=False)
    classes: np.ndarray = logits[0].argmax(0).cpu().numpy()
    return classes
