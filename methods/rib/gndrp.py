"""The parts of RIB's per-image fine-tuning that are pure functions [rib B].

K classes. The loss is the plain sum of the logits of the tags, pooled over the places that are *not* discriminative
(GNDRP); it pushes there, with no sigmoid to saturate. Companions, images that share no tag, keep the classifier from
calling everything the image's classes. Two tests stop the fine-tuning of an image before its last step.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

ROWS, TAGS = (
    6,
    1.5,
)  # rows of target logits at three scales with flips; tags of a VOC image, for which the sum was tuned


def gndrp(
    maps: Tensor,
    tagged: Tensor,
    tau: float,
    *,
    max_class: int | None = None,
    nonpositive: Literal["mean", "literal"] = "mean",
) -> Tensor:
    """Return logits (B, K): the mean over the map of M_k [M_k / max M_k < tau] for tags, of M_k for other classes.

    The sum is divided by all places, not by those kept; negative values count. The mask gives no gradient.

    Args:
        maps: M, (B, K, h, w), of either sign.
        tagged: (B, K) bool.
        tau: share of the maximum from which a place is discriminative.
        max_class: the released code masks only classes below 20 (``max_class=20``), with or without a tag; None is all.
        nonpositive: maps without a positive value. The ratio turns round there: everything is at least one, nothing is
            kept and the class has no gradient (``literal``). ``mean`` finds nothing discriminative: all is kept.
    """
    values = maps.detach()
    peak = values.amax((2, 3), keepdim=True)  # (B, K, 1, 1)
    keep = values / peak < tau
    if nonpositive == "mean":
        keep = keep | (peak <= 0)
    masked = tagged.clone()
    if max_class is not None:
        masked[:, max_class:] = False
    return (maps * (keep | ~masked[:, :, None, None])).mean((2, 3))


def tag_logits(logits: Tensor, tagged: Tensor) -> Tensor:
    """Return the sum of the logits (B, K) of all tags (B, K) bool; RIB's loss is its negative."""
    return (logits * tagged).sum()


def exploded(
    activation: Tensor, threshold: float = 0.3, area: float = 0.8, rule: Literal["any", "per_class", "off"] = "any"
) -> bool:
    """Return whether the activation (T, h, w), at least 0, of the tags has spread over too much of the image.

    Each map is divided by its maximum. ``any``: places where some tag exceeds ``threshold`` make up more than ``area``
    (the released rule; many tags fill a scene of stuff without any of them spreading). ``per_class``: the places of
    one tag alone do.
    """
    if rule == "off" or not len(activation):
        return False
    high = activation / activation.flatten(1).amax(1)[:, None, None] > threshold  # nothing in a map of zeros: NaN
    share = high.any(0).float().mean() if rule == "any" else high.float().mean((1, 2)).amax()
    return bool(share > area)


def target_reached(
    logits: Tensor, tagged: Tensor, threshold: float, rule: Literal["sum", "mean", "off"] = "sum"
) -> bool:
    """Return whether the logits of the image's own tags have grown enough.

    Args:
        logits: (R, K), a row a pooled view of the image.
        tagged: (R, K) bool.
        threshold: of the absolute sum over rows and tags (``sum``, the released rule, which many tags reach sooner).
            ``mean`` compares the mean over rows and tags with the threshold / (6 rows * 1.5 tags), as in VOC.
        rule: ``off`` never stops.
    """
    if rule == "off":
        return False
    total = tag_logits(logits, tagged).abs()
    if rule == "mean":
        total, threshold = total / tagged.sum().clamp(min=1), threshold / (ROWS * TAGS)
    return bool(total > threshold)


class Companions(NamedTuple):
    """The companion images of all steps of one image.

    Attributes:
        batches: (steps, B) int64 image indices; fewer steps than asked for where images run out.
        disjoint: how many images share no tag.
        sharing: how many were drawn from that do.
        reused: whether an image occurs more than once.
    """

    batches: NDArray[np.int64]
    disjoint: int
    sharing: int
    reused: bool


def draw_companions(
    tags: NDArray[np.bool_],
    index: int,
    batch: int,
    steps: int,
    rng: np.random.Generator,
    *,
    with_replacement: bool = True,
    fewest_shared: bool = True,
) -> Companions:
    """Return the companions of image ``index``, shuffled, without repeats as long as there are enough.

    Args:
        tags: (N, K).
        index: of the image, which has at least one tag.
        batch: companions a step.
        steps: that want companions.
        rng: shuffles.
        with_replacement: go on with another shuffled pass where images run out. Otherwise the last incomplete batch is
            dropped and there are fewer steps, as in the released code.
        fewest_shared: where fewer than ``batch`` images share no tag, fill up to ``batch`` with those that share the
            fewest, chance deciding between equals.
    """
    shared = (tags & tags[index]).sum(1)  # (N,)
    order = rng.permutation(len(tags))
    order = order[order != index]
    pool = order[shared[order] == 0]
    disjoint = len(pool)
    if fewest_shared and disjoint < batch:
        pool = order[np.argsort(shared[order], kind="stable")][:batch]
    wanted = batch * steps
    drawn = pool
    while with_replacement and len(pool) and len(drawn) < wanted:
        drawn = np.concatenate([drawn, rng.permutation(pool)])
    full = min(steps, len(drawn) // batch)
    used = drawn[: full * batch].astype(np.int64)
    return Companions(used.reshape(full, batch), disjoint, len(pool) - disjoint, len(used) > len(pool))
