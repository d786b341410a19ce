"""The segmentation losses: parity with the released code, normalisers, and where gradients go."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.maskformer.losses import complementary_loss, gather_pairs, matched_masks, segmentation_loss
from methods.maskformer.matching import Target, match_layers
from methods.maskformer.network import Output
from methods.settings import MaskFormerSettings
from tests.methods.maskformer.cases import blocks, output_of, perfect_output, random_output, target_of, vanishing

THETA = -2.9444
SETTINGS = MaskFormerSettings()
NO_PAD = torch.zeros(1, 16, 16, dtype=torch.bool)


@pytest.fixture
def golden_output(golden: dict[str, Tensor]) -> Output:
    return output_of(golden["logits"][None], golden["pred_masks"][None])


def test_losses_of_the_released_code(
    golden: dict[str, Tensor], golden_output: Output, golden_targets: list[Target]
) -> None:
    losses = segmentation_loss(
        golden_output,
        golden_targets,
        golden["pad"].bool(),
        SETTINGS,
        complementary_weight=0.15,
        theta=THETA,
        mask_normaliser=4.0,
    )
    assert losses["class"].item() == pytest.approx(2.29032707, abs=1e-5)
    assert losses["focal"].item() == pytest.approx(0.31440979, abs=1e-5)
    assert losses["dice"].item() == pytest.approx(0.59344351, abs=1e-5)
    assert losses["complementary"].item() == pytest.approx(12.09476376, abs=1e-4)
    total = losses["class"] + 20 * losses["focal"] + losses["dice"] + 0.15 * losses["complementary"]
    torch.testing.assert_close(losses["total"], total)


def test_layers_are_matched_and_summed_each_on_its_own(
    golden: dict[str, Tensor], golden_output: Output, golden_targets: list[Target]
) -> None:
    pad = golden["pad"].bool()
    other = golden_output._replace(logits=golden_output.logits.flip(2), embeddings=golden_output.embeddings.flip(2))
    both = Output(
        torch.cat([golden_output.logits, other.logits]),
        torch.cat([golden_output.embeddings, 0.5 * other.embeddings]),
        golden_output.features,
    )
    together = segmentation_loss(both, golden_targets, pad, SETTINGS, complementary_weight=1.0)
    other = other._replace(embeddings=0.5 * other.embeddings)
    alone = [
        segmentation_loss(o, golden_targets, pad, SETTINGS, complementary_weight=1.0) for o in (golden_output, other)
    ]
    for name, value in together.items():
        torch.testing.assert_close(value, alone[0][name] + alone[1][name])


def test_official_column_order_swaps_labels_and_masks_of_right_predictions() -> None:
    target = vanishing()
    output = perfect_output(target, queries=4, classes=4)
    official = dataclasses.replace(SETTINGS, column_order="official")
    right, swapped = (segmentation_loss(output, [target], NO_PAD, settings) for settings in (SETTINGS, official))
    assert right["class"] < 0.01 < 1 < swapped["class"]
    assert right["dice"] < swapped["dice"]


@pytest.mark.parametrize(("normaliser", "divisor"), [("with_mask", 2.0), ("all", 4.0), (8.0, 8.0), (0.0, 1.0)])
def test_mask_losses_are_divided_by_the_number_of_targets(normaliser: str | float, divisor: float) -> None:
    torch.manual_seed(0)
    output = random_output(layers=1, images=1, queries=6, classes=4, size=4)
    target = target_of(blocks("01", "23"), range(4), [2, 3])
    losses = segmentation_loss(output, [target], NO_PAD, SETTINGS, mask_normaliser=normaliser)  # type: ignore[arg-type]
    undivided = segmentation_loss(output, [target], NO_PAD, SETTINGS, mask_normaliser=1.0)
    torch.testing.assert_close(losses["focal"], undivided["focal"] / divisor)
    torch.testing.assert_close(losses["dice"], undivided["dice"] / divisor)


def test_without_any_target_every_query_is_to_say_no_object() -> None:
    output = random_output(layers=2, images=2, queries=3, classes=4, size=4)
    empty = target_of(blocks("..", ".."), range(4), [])
    losses = segmentation_loss(output, [empty, empty], NO_PAD, SETTINGS, complementary_weight=1.0)
    expected = sum(F.cross_entropy(layer.flatten(0, 1), torch.full((6,), 4)) for layer in output.logits)
    torch.testing.assert_close(losses["class"], expected)
    assert losses["focal"] == losses["dice"] == losses["complementary"] == 0
    losses["total"].backward()  # type: ignore[no-untyped-call]
    assert output.logits.grad is not None


def test_an_image_without_base_class_is_to_be_filled_by_its_novel_mask() -> None:
    output = output_of(torch.zeros(1, 1, 2, 4), torch.full((1, 1, 2, 4, 4), 20.0))
    target = target_of(blocks("22", "22"), range(3), [2])
    losses = segmentation_loss(output, [target], NO_PAD, SETTINGS, complementary_weight=1.0)
    assert losses["focal"] == losses["dice"] == 0
    assert losses["complementary"].item() == pytest.approx(0.0, abs=1e-4)
    padding = NO_PAD.clone()
    padding[:, 8:] = True  # nothing to explain there
    worse = segmentation_loss(output, [target], padding, SETTINGS, complementary_weight=1.0)
    assert worse["complementary"] > 1


def test_complementary_loss_is_the_mean_over_images_with_novel_targets() -> None:
    torch.manual_seed(0)
    output = random_output(layers=1, images=3, queries=6, classes=4, size=4)
    targets = [target_of(blocks(*rows), range(4), [2, 3]) for rows in (("0.", "22"), ("01", "01"), ("23", "0."))]
    pad = NO_PAD.expand(3, -1, -1)

    def loss(images: list[int]) -> float:
        part = Output(output.logits[:, images], output.embeddings[:, images], output.features[images])
        chosen = [targets[i] for i in images]
        losses = segmentation_loss(part, chosen, pad[images], SETTINGS, complementary_weight=1.0)
        return losses["complementary"].item()

    assert loss([1]) == 0
    assert loss([0, 1, 2]) == pytest.approx((loss([0]) + loss([2])) / 2, rel=1e-4)


def test_complementary_gradient_reaches_only_novel_queries_above_theta() -> None:
    torch.manual_seed(0)
    masks = (4 * torch.randn(1, 1, 5, 16, 16)).requires_grad_()  # at full resolution: no upsampling between
    output = output_of(torch.zeros(1, 1, 5, 5), masks)
    target = target_of(blocks("01", "23"), range(4), [2, 3])
    pairs = gather_pairs(match_layers(output, [target]), [target])
    novel = pairs.select(~target.has_mask[pairs.target])
    complementary_loss(output, target.masks.any(0)[None], novel, THETA).backward()  # type: ignore[no-untyped-call]
    assert masks.grad is not None
    touched = masks.grad[0, 0] != 0  # (Q, H, W)
    of_novel = masks.detach()[0, 0, novel.query]
    wins = (of_novel == of_novel.amax(0)) & (of_novel > THETA)
    assert wins.any()
    assert not wins.any(0).all()
    assert torch.equal(touched[novel.query], wins)
    others = [q for q in range(5) if q not in novel.query.tolist()]
    assert not touched[others].any()


def test_without_ignore_proposal_every_pixel_has_a_gradient() -> None:
    masks = torch.full((1, 1, 1, 4, 4), -8.0).requires_grad_()
    target = target_of(blocks("22", "22"), range(3), [2])
    for theta, expected in ((THETA, False), (-50.0, True)):
        output = output_of(torch.zeros(1, 1, 1, 4), masks)
        loss = segmentation_loss(output, [target], NO_PAD, SETTINGS, complementary_weight=1.0, theta=theta)
        (gradient,) = torch.autograd.grad(loss["complementary"], masks)
        assert bool((gradient != 0).all()) is expected


def test_base_losses_leave_unmatched_and_novel_queries_alone() -> None:
    torch.manual_seed(0)
    output = random_output(layers=1, images=1, queries=6, classes=4, size=4)
    target = target_of(blocks("01", "23"), range(4), [2, 3])
    pairs = gather_pairs(match_layers(output, [target]), [target])
    losses = segmentation_loss(output, [target], NO_PAD, SETTINGS)
    (gradient,) = torch.autograd.grad(losses["focal"] + losses["dice"], output.embeddings)
    base = pairs.query[target.has_mask[pairs.target]].tolist()
    assert gradient[0, 0].abs().sum(1).nonzero().flatten().tolist() == sorted(base)


def test_masks_of_matched_queries_are_rows_of_all_masks() -> None:
    torch.manual_seed(0)
    output = random_output(layers=2, images=3, queries=5, classes=4, size=4)
    targets = [target_of(blocks(*rows), range(4), [3]) for rows in (("01", "23"), ("..", ".."), ("33", "01"))]
    pairs = gather_pairs(match_layers(output, targets), targets)
    expected = output.masks[pairs.layer, pairs.image, pairs.query]
    torch.testing.assert_close(matched_masks(output, pairs), expected)
    assert len(expected) == 2 * (4 + 0 + 3)
