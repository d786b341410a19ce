"""Semantic inference against the formula of the paper."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmark.datasets.transforms import resize_image
from methods.maskformer import inference, upsampling
from methods.maskformer.inference import best_classes, padded, predict, predict_batch
from methods.maskformer.network import MaskFormer, build_maskformer, normalise
from methods.settings import InputSettings
from tests.methods.maskformer.cases import MINI

INPUT = InputSettings(test_short=32, test_longest=48, size_divisor=16)


def picture(images: int) -> np.ndarray:
    """Noise, dark at the left and bright at the right, (B, 70, 90, 3)."""
    noise = np.random.default_rng(0).integers(0, 100, (images, 70, 90, 3))
    return (noise + np.linspace(0, 155, 90)[:, None]).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> MaskFormer:
    """Query i is sure of class i, and no mask covers everything: predictions vary over the image."""
    torch.manual_seed(0)
    model = build_maskformer(dataclasses.replace(MINI, class_seed=8.0, queries=7), classes=6).eval()
    bias = model.pixel_decoder.mask_features.get_parameter("bias")
    with torch.no_grad():
        bias.sub_(model(normalise(torch.tensor(picture(1)))).features.mean(dim=(0, 2, 3)))
    return model


def reference_scores(
    logits: torch.Tensor, masks: torch.Tensor, padded_size: tuple[int, int], size: tuple[int, int], out: tuple[int, int]
) -> torch.Tensor:
    """[6.3] word for word: upsample, sum over queries, crop, resize the K score maps."""
    up = F.interpolate(masks[None], size=padded_size, mode="bilinear", align_corners=False)[0]
    scores = torch.einsum("qc,qhw->chw", logits.softmax(-1)[:, :-1], up.sigmoid())[:, : size[0], : size[1]]
    return F.interpolate(scores[None], size=out, mode="bilinear", align_corners=False)[0]


@pytest.mark.parametrize("original", [(40, 53), (90, 70), (60, 80), (33, 20)])
@pytest.mark.parametrize("values", [1 << 27, 20 * 100 * 7, 1], ids=["at once", "tiles", "single rows"])
def test_classes_are_the_argmax_of_the_formulas_scores(
    monkeypatch: pytest.MonkeyPatch, original: tuple[int, int], values: int
) -> None:
    torch.manual_seed(0)
    logits, masks = 3 * torch.randn(20, 8), 3 * torch.randn(20, 16, 24)
    expected = reference_scores(logits, masks, (64, 96), (60, 80), original)
    monkeypatch.setattr(inference, "BLOCK", 100)
    monkeypatch.setattr(upsampling, "TILE_VALUES", values)
    found = best_classes(logits, masks, (64, 96), (60, 80), original)
    assert found.shape == original
    chosen = expected.gather(0, found[None])[0]
    torch.testing.assert_close(chosen, expected.amax(0), rtol=0, atol=1e-5)  # rounding decides ties
    assert (found == expected.argmax(0)).float().mean() > 0.999


def test_predict_resizes_pads_and_comes_back_to_the_image(model: MaskFormer) -> None:
    image = picture(1)[0]
    found = predict(model, image, INPUT)
    assert found.shape == (70, 90)
    assert found.dtype == np.int64
    size = (32, 41)  # 32 / 70 * 90 = 41.1
    batch = padded(normalise(torch.tensor(resize_image(image, size))[None]), 16)
    assert batch.shape == (1, 3, 32, 48)
    with torch.no_grad():
        output = model(batch)
    scores = reference_scores(output.logits[-1, 0], output.masks[-1, 0], (32, 48), size, (70, 90))
    assert (torch.from_numpy(found) == scores.argmax(0)).float().mean() > 0.999  # rounding decides ties
    assert len(np.unique(found)) > 2


def test_a_batch_equals_its_images(model: MaskFormer) -> None:
    images = picture(3)
    together = predict_batch(model, images, INPUT)
    alone = np.stack([predict(model, image, INPUT) for image in images])
    assert (together == alone).mean() > 0.999


def test_padding_is_zero_after_normalisation() -> None:
    found = padded(torch.ones(1, 3, 5, 8), 4)
    assert found.shape == (1, 3, 8, 8)
    assert found.sum() == 3 * 5 * 8


def test_read_only_images_are_fine(model: MaskFormer) -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image.setflags(write=False)
    assert predict(model, image, INPUT).shape == (32, 32)


def test_a_model_in_training_mode_is_refused(model: MaskFormer) -> None:
    model.train()
    try:
        with pytest.raises(ValueError, match="evaluation mode"):
            predict(model, np.zeros((32, 32, 3), np.uint8), INPUT)
    finally:
        model.eval()
