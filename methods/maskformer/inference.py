"""From an image to class ids: mask classification read as semantic segmentation [6.3]."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.datasets.transforms import resize_image, resized_size
from methods.maskformer.network import MaskFormer, normalise
from methods.settings import InputSettings

BLOCK = 1 << 20  # scores held at once while the best class of each pixel is sought


def semantic_scores(
    logits: Tensor, masks: Tensor, padded_size: Sequence[int], size: Sequence[int], original_size: Sequence[int]
) -> Tensor:
    """Return the class scores (K, H0, W0) of one image, sum_q p_q(c) sigmoid(m_q).

    Args:
        logits: (Q, K+1) of the last layer.
        masks: (Q, h, w) mask logits of the last layer.
        padded_size: (height, width) of the network's input; mask logits are upsampled to it.
        size: (height, width) of the image within, at the top left.
        original_size: (H0, W0) of the image on disk; scores are resized to it.
    """
    proposals = query_maps(masks, padded_size, size, original_size)
    return torch.einsum("qc,qhw->chw", logits.softmax(-1)[:, :-1], proposals)


def query_maps(masks: Tensor, padded_size: Sequence[int], size: Sequence[int], original_size: Sequence[int]) -> Tensor:
    """Return sigmoid(m_q) at the original size, (Q, H0, W0).

    Resizing and summing over queries are both linear, so they may change places: Q maps are resized, not K.
    """
    height, width = size
    maps = _resized(masks, padded_size).sigmoid_()[:, :height, :width]
    return _resized(maps, original_size)


def best_classes(logits: Tensor, proposals: Tensor) -> Tensor:
    """Return the class of the highest score at each pixel, (H0, W0) int64, from (Q, K+1) and maps (Q, H0, W0).

    The scores of all classes exist for one band of pixels at a time only.
    """
    probabilities = logits.softmax(-1)[:, :-1].T  # (K, Q)
    pixels = torch.split(proposals.flatten(1), max(1, BLOCK // len(probabilities)), dim=1)
    return torch.cat([(probabilities @ band).argmax(0) for band in pixels]).view(proposals.shape[1:])


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
    original = height, width = images.shape[1:3]
    size = resized_size(height, width, settings.test_short, settings.test_longest)
    if size != original:
        images = np.stack([resize_image(image, size) for image in images])
    device = next(model.parameters()).device
    batch = padded(normalise(torch.tensor(images).to(device)), settings.size_divisor)
    output = model(batch).last
    return np.stack(
        [
            best_classes(logits, query_maps(masks, batch.shape[-2:], size, original)).cpu().numpy()
            for logits, masks in zip(output.logits[0], output.masks[0], strict=True)
        ]
    )


def padded(images: Tensor, divisor: int) -> Tensor:
    """Return images (B, 3, H, W) with zeros to the right and below up to multiples of ``divisor``."""
    height, width = images.shape[-2:]
    return F.pad(images, (0, -width % divisor, 0, -height % divisor))


def _resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(maps[None], size=tuple(size), mode="bilinear", align_corners=False)[0]
