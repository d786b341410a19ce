"""The parts of the stages on maps made by hand."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.datasets import TrainingView
from methods.retab.maps import labels_to_learn, nonboundary_of, novel_response
from methods.retab.propagation import decided, spread
from methods.retab.settings import MiningPart, NonboundaryPart, WalkPart
from methods.wsss.cam import Cam
from tests.methods.wsss.support import NOVEL, SECOND, VOID, Pictures

WALK = WalkPart(stride=4, affinity_radius=3, steps_log2=6, tau=0.0)
MINING = MiningPart(stride=4, boundary_radius=2, mining_tau=0.3)
SIZE = (24, 32)


def cam(*maps: Tensor) -> Cam:
    """Return activation maps of the base class 0 and of the novel classes."""
    high = np.stack([np.ones(SIZE, np.float32), *(m.numpy() for m in maps)])
    return Cam(np.array([0, NOVEL, SECOND][: len(high)]), high[:, ::4, ::4], high)


def regions() -> Tensor:
    """Return features (1, 1, 6, 8) of three columns: known base, a novel class, another novel class."""
    features = torch.zeros(1, 1, 6, 8)
    features[..., 2:5] = 20.0
    features[..., 5:] = 40.0
    return features


def known() -> Tensor:
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[:, :8] = True
    return mask


def seeds() -> Tensor:
    """Return responses (2, H, W): one spot in each novel region."""
    response = torch.zeros(2, *SIZE)
    response[0, 8:12, 12:16] = 1.0
    response[1, 8:12, 28:32] = 0.5
    return response


def everywhere() -> Tensor:
    return torch.ones(SIZE, dtype=torch.bool)


@pytest.mark.parametrize("clamp", [True, False])
@pytest.mark.parametrize("between", ["grid", "image"])
def test_responses_fill_their_region_and_no_other(clamp: bool, between: Literal["grid", "image"]) -> None:
    part = replace(WALK, clamp=clamp, between_stages=between)
    result = spread(seeds(), known(), everywhere(), regions(), part)
    labels = decided(result, [NOVEL, SECOND], part)
    assert result.shape == (3, *SIZE)
    blur = 0 if between == "grid" else 2  # of going through the image, which mixes neighbouring cells once more
    assert (labels[:, 10 + blur : 18 - blur] == NOVEL).all()
    assert (labels[:, 22 + blur :] == SECOND).all()
    assert (labels[:, :6] == VOID).all()  # known base wins


def test_clamped_cells_keep_their_response_and_others_do_not() -> None:
    flat = torch.zeros(1, 1, 6, 8)  # everything is alike
    kept, mixed = (spread(seeds(), known(), everywhere(), flat, replace(WALK, clamp=clamp)) for clamp in (True, False))
    cells = (slice(None), slice(2, 6))  # centres of the outermost cells are nearest
    assert (kept[0][cells] == 1).all()
    assert (kept[1:, :, 2:6] == 0).all()
    assert (mixed[0][cells] < 1).all()
    assert (mixed[1:, :, 2:6] > 0).all()


def test_boundaries_take_no_part_in_the_first_stage_and_receive_in_the_second() -> None:
    flat = torch.zeros(1, 1, 6, 8)
    wall = everywhere()
    wall[:, 16:24] = False  # two cells wide: no pair of radius 2 reaches across
    part = replace(WALK, affinity_radius=2)
    no_base = torch.zeros(SIZE, dtype=torch.bool)
    result = spread(seeds(), no_base, wall, flat, part)
    assert (result[2, :, :14] == 0).all()  # nothing of the right reached the left
    assert (result[1, :, 26:] == 0).all()
    assert (result[1, :, 18:22] > 0).all()  # but the wall took from both sides
    assert (result[2, :, 18:22] > 0).all()


def test_a_threshold_is_relative_to_the_highest_novel_response() -> None:
    response = torch.tensor([[[0.0, 0.0, 0.9, 0.0]], [[0.4, 0.1, 0.4, 0.0]], [[0.0, 0.0, 0.0, 0.2]]])
    tags = [NOVEL, SECOND]
    assert decided(response, tags, WALK).tolist() == [[NOVEL, NOVEL, VOID, SECOND]]
    assert decided(response, tags, replace(WALK, tau=0.3)).tolist() == [[NOVEL, VOID, VOID, SECOND]]
    assert decided(response, tags, replace(WALK, tau=0.5)).tolist() == [[NOVEL, VOID, VOID, VOID]]
    assert decided(response, tags, replace(WALK, base_channel="ignore")).tolist() == [[NOVEL, NOVEL, NOVEL, SECOND]]
    assert (decided(torch.zeros(3, 2, 2), tags, WALK) == VOID).all()  # no response, no label


def test_novel_responses_are_zero_on_base_pixels_and_may_be_scaled_by_what_is_left() -> None:
    ramp = torch.linspace(1, 0, 32).expand(SIZE)
    unknown = ~known().numpy()
    plain, scaled = (novel_response(cam(ramp), [NOVEL], unknown, renormalise=r) for r in (False, True))
    assert (plain[0][~unknown] == 0).all()
    assert np.array_equal(plain[0][unknown], ramp.numpy()[unknown])
    assert scaled.max() == pytest.approx(1, abs=1e-4)
    assert scaled[0, 0, 20] / plain[0, 0, 20] == pytest.approx(1 / ramp[0, 8].item(), rel=1e-4)
    assert novel_response(cam(), [], unknown, renormalise=True).shape == (0, *SIZE)
    assert np.isfinite(novel_response(cam(ramp), [NOVEL], unknown & False, renormalise=True)).all()


def test_mixed_labels_keep_off_boundaries_and_unsure_pixels() -> None:
    view = TrainingView(Pictures(), (NOVEL, SECOND))  # "two novels": base in columns 0-7
    base = view.base_mask("two novels")
    first, second = torch.zeros(SIZE), torch.zeros(SIZE)
    first[:, :18], second[:, 22:] = 0.9, 0.8
    nonboundary = everywhere()
    nonboundary[:, 26:] = False
    labels = labels_to_learn(view, "two novels", cam(first, second), nonboundary, MINING)
    assert (labels[:, :8] == base[:, :8]).all()
    assert (labels[:, 8:10] == VOID).all()  # within two pixels of the base mask
    assert (labels[:, 10:18] == NOVEL).all()
    assert (labels[:, 18:22] == VOID).all()  # no response
    assert (labels[:, 22:26] == SECOND).all()
    assert (labels[:, 26:] == VOID).all()  # predicted boundary
    predicted_only = replace(MINING, known_contour=False)
    touching = labels_to_learn(view, "two novels", cam(first, second), nonboundary, predicted_only)
    assert (touching[:, 8:10] == NOVEL).all()


def test_labels_after_a_crf_keep_the_base_masks() -> None:
    view = TrainingView(Pictures(), (NOVEL, SECOND))
    part = replace(MINING, mining="crf", mining_crf_scale=0.1, known_contour=False)
    first, second = torch.zeros(SIZE), torch.zeros(SIZE)
    first[:, 8:20], second[:, 20:] = 0.9, 0.9
    labels = labels_to_learn(view, "two novels", cam(first, second), everywhere(), part)
    assert (labels[:, :8] == 0).all()
    assert (labels[:, 10:18] == NOVEL).all()
    assert (labels[:, 22:] == SECOND).all()
    without = labels_to_learn(
        view, "two bases", Cam(np.array([0, 1]), *(np.ones((2, *SIZE), np.float32),) * 2), everywhere(), part
    )
    assert (without == view.base_mask("two bases")).all()


def test_boundary_logits_are_enlarged_before_the_threshold() -> None:
    logits = torch.tensor([[-4.0, 4.0], [-4.0, 4.0]])
    found = nonboundary_of(logits, (3, 5), NonboundaryPart())
    assert found.tolist() == [[True, True, False, False, False]] * 3
    assert nonboundary_of(logits, (3, 5), NonboundaryPart(boundary_threshold=0.99)).all()
    wide = NonboundaryPart(boundary_kernel=3)
    assert nonboundary_of(logits, (3, 5), wide).tolist() == [[True, False, False, False, False]] * 3
