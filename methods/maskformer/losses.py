"""The losses of a segmentation network under mixed supervision, with deep supervision of every decoder layer [4]."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import record_function

from methods.maskformer.blocks import rows_at_once
from methods.maskformer.mask_terms import MaskTerms, mask_terms
from methods.maskformer.matching import Assignment, MatchCosts, Target, match_layers
from methods.maskformer.network import Output
from methods.maskformer.upsampling import upsampled
from methods.settings import MaskFormerSettings

# Inside the complementary loss; its own weight scales both [4.3].
COMPLEMENTARY_FOCAL, COMPLEMENTARY_DICE = 20.0, 1.0
LOGIT_5_PERCENT = -2.9444
NO_IGNORE_PROPOSAL = -50.0  # a theta this low is never the maximum


class Pairs(NamedTuple):
    """Matched pairs of all layers and images, (N,) int64 each; ``target`` counts through the targets of the batch."""

    layer: Tensor
    image: Tensor
    query: Tensor
    target: Tensor

    def select(self, keep: Tensor) -> "Pairs":
        """Return the pairs of an index or a boolean map."""
        return Pairs(*(field[keep] for field in self))


class ShareSums(NamedTuple):
    """What two means of an emulated rank's share divide by, where it passes in parts. Every target gets matched.

    Attributes:
        query_weights: of all queries of a layer in the classification loss.
        novel_images: images with a target without mask.
    """

    query_weights: float
    novel_images: int


def share_sums(targets: Sequence[Target], settings: MaskFormerSettings) -> ShareSums:
    """Return the sums of a share from its targets."""
    matched = sum(len(target.labels) for target in targets)
    unmatched = settings.queries * len(targets) - matched
    novel_images = sum(not bool(target.has_mask.all()) for target in targets)
    return ShareSums(matched + settings.no_object_weight * unmatched, novel_images)


def segmentation_loss(
    output: Output,
    targets: Sequence[Target],
    pad: Tensor,
    settings: MaskFormerSettings,
    *,
    complementary_weight: float = 0.0,
    theta: float = LOGIT_5_PERCENT,
    mask_normaliser: Literal["with_mask", "all"] | float = "with_mask",
    sums: ShareSums | None = None,
) -> dict[str, Tensor]:
    """Return the loss terms, each summed over the layers and unweighted, and their weighted sum ``total``.

    Args:
        output: of the network.
        targets: one an image.
        pad: (B, H, W) bool, True in the padding.
        settings: weights of the losses and of the matching costs.
        complementary_weight: w_c; 0 leaves the complementary term out.
        theta: logit of the constant ignore proposal; -50 or less means none.
        mask_normaliser: M, what the mask losses are divided by: the number of targets with a mask (SimFormer), of all
            targets (MaskFormer), or that number itself, where it is to be the mean over several processes.
        sums: of the share that these images are a part of; the losses of its parts then add up to those of the share.

    Returns:
        ``class``, ``focal``, ``dice``, ``complementary`` and ``total``, scalars.
    """
    costs = MatchCosts(settings.match_class, settings.match_mask, settings.match_dice, settings.column_order)
    with record_function("step: matching"):
        pairs = gather_pairs(match_layers(output, targets, costs), targets)
    with record_function("step: losses"):
        return _weighted_terms(
            output, targets, pad, pairs, settings, complementary_weight, theta, mask_normaliser, sums
        )


def _weighted_terms(
    output: Output,
    targets: Sequence[Target],
    pad: Tensor,
    pairs: Pairs,
    settings: MaskFormerSettings,
    complementary_weight: float,
    theta: float,
    mask_normaliser: Literal["with_mask", "all"] | float,
    sums: ShareSums | None,
) -> dict[str, Tensor]:
    """Return the terms of ``segmentation_loss`` for given pairs."""
    labels = torch.cat([target.labels for target in targets])  # (sum T,)
    masks = torch.cat([target.masks for target in targets]).bool()  # (sum T, H, W)
    has_mask, drawn = _mask_flags(targets)
    if isinstance(mask_normaliser, str):
        mask_normaliser = float(has_mask.sum() if mask_normaliser == "with_mask" else len(has_mask))
    weights, novel_images = sums or (None, None)
    classification = classification_loss(output.logits, labels, pairs, settings.no_object_weight, weights)
    focal, dice = base_mask_loss(output, masks, pairs.select(drawn[pairs.target]), max(1.0, mask_normaliser))
    total = settings.loss_class * classification + settings.loss_mask * focal + settings.loss_dice * dice
    complementary = torch.zeros_like(total)
    if complementary_weight:
        covered = torch.stack([target.masks.any(0) for target in targets]).bool() | pad  # base or padding
        novel = pairs.select(~has_mask[pairs.target])
        complementary = complementary_loss(output, covered, novel, theta, novel_images)
        total = total + complementary_weight * complementary
    return {"class": classification, "focal": focal, "dice": dice, "complementary": complementary, "total": total}


def gather_pairs(assignments: Sequence[Sequence[Assignment]], targets: Sequence[Target]) -> Pairs:
    """Return the assignments of all layers and images as one list on the CPU, by image, then layer, then query."""
    fields: list[Tensor] = []
    first = 0
    for image, target in enumerate(targets):
        for layer, images in enumerate(assignments):
            query, column = images[image]
            where = torch.tensor([[layer], [image]]).expand(2, len(query))
            fields.append(torch.cat([where, query[None], column[None] + first]))
        first += len(target.labels)
    return Pairs(*torch.cat(fields, 1))


def classification_loss(
    logits: Tensor, labels: Tensor, pairs: Pairs, no_object_weight: float, normaliser: float | None = None
) -> Tensor:
    """Return the weighted cross entropy over all queries, summed over the layers [4.1].

    Args:
        logits: (L, B, Q, K+1).
        labels: (sum T,) classes of all targets.
        pairs: all matched pairs; queries in none are to say "no object".
        no_object_weight: weight of those; a layer's loss is sum w CE / sum w.
        normaliser: sum w of the share that these images are a part of.
    """
    no_object = logits.shape[-1] - 1
    wanted = torch.full(logits.shape[:3], no_object, device=logits.device)  # (L, B, Q)
    layer, image, query, target = (index.to(logits.device) for index in pairs)
    wanted[layer, image, query] = labels[target]
    ce = F.cross_entropy(logits.flatten(0, 2), wanted.flatten(), reduction="none").view(wanted.shape)
    weight = torch.where(wanted == no_object, no_object_weight, 1.0)
    return ((weight * ce).sum((1, 2)) / (weight.sum((1, 2)) if normaliser is None else normaliser)).sum()


def base_mask_loss(output: Output, masks: Tensor, pairs: Pairs, normaliser: float) -> MaskTerms:
    """Return focal and dice loss of matched masks, summed over pairs and layers, divided by M [4.2].

    Logits are upsampled to the size of ``masks``, those of all targets, (sum T, H, W) bool. Zero without pairs.
    """
    focal = dice = output.features.new_zeros(())
    if not len(pairs.target):
        return MaskTerms(focal, dice)
    logits = matched_masks(output, pairs)  # (N, h, w)
    count = rows_at_once(logits, masks[0].numel())
    wanted = pairs.target.to(masks.device)
    for rows, chosen in zip(torch.split(logits, count), torch.split(wanted, count), strict=True):
        terms = mask_terms(upsampled(rows, masks.shape[-2:]), masks[chosen])
        focal, dice = focal + terms.focal.sum(), dice + terms.dice.sum()
    return MaskTerms(focal / normaliser, dice / normaliser)


def complementary_loss(
    output: Output, covered: Tensor, pairs: Pairs, theta: float, novel_images: int | None = None
) -> Tensor:
    """Return the loss that lets the novel masks explain what no base mask covers, summed over the layers [4.3].

    In each image with matched novel targets, u = max(theta, the largest upsampled logit of their queries) is to be 1
    outside ``covered``: 20 focal(u, g) + dice(u, g), averaged over those images. Where theta is the largest, the
    pixel counts as unlabelled and gives no gradient. Zero without pairs.

    Args:
        output: of the network.
        covered: (B, H, W) bool, True on base classes and padding.
        pairs: of novel targets, those of one image and layer side by side.
        theta: logit of the constant ignore proposal; -50 or less means none.
        novel_images: number of images with novel targets in the share that these images are a part of.
    """
    if not len(pairs.target):
        return output.features.new_zeros(())
    group, sizes = torch.unique_consecutive(torch.stack([pairs.image, pairs.layer]), dim=1, return_counts=True)
    masks = upsampled(matched_masks(output, pairs), covered.shape[-2:])  # (N, H, W)
    union = torch.stack([rows.amax(0) for rows in torch.split(masks, sizes.tolist())])  # (groups, H, W)
    if theta > NO_IGNORE_PROPOSAL:
        union = union.clamp(min=theta)
    terms = mask_terms(union, ~covered[group[0].to(covered.device)])
    images = len(group[0].unique()) if novel_images is None else novel_images
    return (COMPLEMENTARY_FOCAL * terms.focal + COMPLEMENTARY_DICE * terms.dice).sum() / (images + 1e-5)


def matched_masks(output: Output, pairs: Pairs) -> Tensor:
    """Return the mask logits (N, h, w) of pairs ordered by image; the other queries' masks are never computed."""
    layer, image, query, _ = (index.to(output.features.device) for index in pairs)
    embeddings = output.embeddings[layer, image, query]  # (N, D)
    counts = torch.bincount(pairs.image, minlength=len(output.features)).tolist()
    pixels = output.features.flatten(2).unbind()  # B of (D, h*w)
    masks = torch.cat([e @ p for e, p in zip(torch.split(embeddings, counts), pixels, strict=True) if len(e)])
    return masks.view(-1, *output.features.shape[-2:])


def _mask_flags(targets: Sequence[Target]) -> tuple[Tensor, Tensor]:
    """Return, for all targets of the batch, on the CPU: has a mask, and that mask is not empty. (sum T,) bool each."""
    has_mask = torch.cat([t.has_mask for t in targets])
    filled = torch.cat([t.masks.flatten(1).any(1) for t in targets])
    has_mask, drawn = torch.stack([has_mask, has_mask & filled.bool()]).cpu()
    return has_mask, drawn
