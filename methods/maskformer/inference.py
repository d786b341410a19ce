"""From an image to class ids: mask classification read as semantic segmentation [6.3]."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.datasets.transforms import resize_image, resized_size
from methods.maskformer.network import MaskFormer, normalise
from methods.maskformer.upsampling import resized, tiled_resize
from methods.settings import InputSettings

BLOCK = 1 << 20  # scores held at once while the best class of each pixel is sought


def best_classes(
    logits: Tensor, masks: Tensor, padded_size: tuple[int, int], size: tuple[int, int], original_size: tuple[int, int]
) -> Tensor:
    """Return the class of the highest score sum_q p_q(c) sigmoid(m_q) at each pixel of one image, (H0, W0) int64.

    Resizing and summing over queries are both linear, so they may change places: Q maps are resized, not K. Maps and
    scores at the original size exist for one tile of pixels at a time only.

    Args:
        logits: (Q, K+1) of the last layer.
        masks: (Q, h, w) mask logits of the last layer.
        padded_size: (height, width) of the network's input; mask logits are upsampled to it.
        size: (height, width) of the image within, at the top left.
        original_size: (H0, W0) of the image on disk.
    """
    height, width = size
    probabilities = logits.softmax(-1)[:, :-1].T  # (K, Q)
    maps = resized(masks, padded_size).sigmoid_()[:, :height, :width]
    found = [
        (probabilities @ pixels).argmax(0)
        for tile in tiled_resize(maps, original_size)
        for pixels in torch.split(tile.flatten(1), max(1, BLOCK // len(probabilities)), dim=1)
    ]
    return torch.cat(found).view(*original_size)


@torch.inference_mode()
def predict(model: MaskFormer, image: np.ndarray, settings: InputSettings) -> np.ndarray:
    """Return the class ids (H0, W0) int64 of one image (H0, W0, 3) uint8, at its own size, on the model's device."""
    classes: np.ndarray = predict_batch(model, image[None], settings)[0]
    return classes


@torch.inference_mode()
def predict_batch(model: MaskFormer, images: np.ndarray, settings: InputSettings) -> np.ndarray:
    """Return the class ids (B, H0, W0) int64 of images of one size (B, H0, W0, 3) uint8.

    Raises:
        ValueError: the model is in training mode.
    """
    if model.training:
        raise ValueError("prediction needs the model in evaluation mode: call model.eval() first")
    height, width = images.shape[1:3]
    original = height, width
    size = resized_size(height, width, settings.test_short, settings.test_longest)
    if size != original:
        images = np.stack([resize_image(image, size) for image in images])
    device = next(model.parameters()).device
    batch = padded(normalise(torch.tensor(images).to(device)), settings.size_divisor)
    padded_size = batch.shape[-2], batch.shape[-1]
    output = model(batch).last
    return np.stack(
        [
            best_classes(logits, masks, padded_size, size, original).cpu().numpy()
            for logits, masks in zip(output.logits[0], output.masks[0], strict=True)
        ]
    )


def padded(images: Tensor, divisor: int) -> Tensor:
    """Return images (B, 3, H, W) with zeros to the right and below up to multiples of ``divisor``."""
    height, width = images.shape[-2:]
    return F.pad(images, (0, -width % divisor, 0, -height % divisor))
