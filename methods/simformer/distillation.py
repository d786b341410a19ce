"""L_dist: SimNet's similarities of pixels without base mask teach the segmenter (supplement A5).

T[b, i, j], the teacher, compares point i of image b with point j of its partner. S[b, i, j], the student, is the
cosine of the segmenter's class scores at two points. The supplement and figure 2 take them across the pair
(``cross_image``); the released code takes both from image b (``same_image``).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.simformer.points import at_points
from methods.simformer.simnet import SimNet

Score = Literal["novel_score", "full_score", "full_logit", "full_logit_c"]
Pairing = Literal["same_image", "cross_image"]
Function = Literal["ce", "cce", "b0.5"]


def shared_novel(present: Tensor, partner: Tensor) -> Tensor:
    """Return which images share a novel class with their partner: (B,) bool, from ``present`` (B, K) bool."""
    return (present & present[partner]).any(1)


def teacher_similarity(
    simnet: SimNet, here: Tensor, there: Tensor, batch_statistics: Literal["train", "eval"] = "train"
) -> Tensor:
    """Return T (B, J, J) without gradient, from embeddings ``here`` and ``there`` (B, J, D).

    As released ("train"), batch normalisation uses the statistics of these pairs, and remembers them.
    """
    was_training = simnet.training
    simnet.train(batch_statistics == "train")
    try:
        with torch.no_grad():
            similarity: Tensor = simnet(here, there)
    finally:
        simnet.train(was_training)
    return similarity


def student_scores(
    class_logits: Tensor, mask_logits: Tensor, points: Tensor, novel: Tensor, score: Score = "novel_score"
) -> Tensor:
    """Return the segmenter's scores at the points, s_c = sum over queries of p_q(c) sigma(m_q): (B, J, C).

    Args:
        class_logits: (B, Q, K+1), of the last decoder layer.
        mask_logits: (B, Q, h, w), of the last decoder layer.
        points: (B, J).
        novel: (C,) ids of the novel classes.
        score: ``novel_score``: class probabilities, novel classes only; ``full_score``: of all K classes;
            ``full_logit``: class logits in their place; ``full_logit_c``: these, where positive.
    """
    if score == "novel_score":
        classes = class_logits.softmax(-1)[..., novel]
    elif score == "full_score":
        classes = class_logits.softmax(-1)[..., :-1]
    elif score == "full_logit":
        classes = class_logits[..., :-1]
    else:
        classes = class_logits[..., :-1].relu()
    masks = at_points(mask_logits, points).sigmoid()  # (B, J, Q)
    return masks @ classes


def student_similarity(here: Tensor, there: Tensor) -> Tensor:
    """Return S (B, J, J), the cosine of scores ``here`` and ``there`` (B, J, C), where positive."""
    return (F.normalize(here, dim=-1) @ F.normalize(there, dim=-1).transpose(1, 2)).relu()


def cross_entropy(teacher: Tensor, student: Tensor) -> Tensor:
    """Return -T log S - (1-T) log(1-S), both clamped to [0.01, 0.99]."""
    teacher, student = teacher.clamp(0.01, 0.99), student.clamp(0.01, 0.99)
    return -teacher * student.log() - (1 - teacher) * (1 - student).log()


def confident_cross_entropy(teacher: Tensor, student: Tensor) -> Tensor:
    """Return -relu(T-0.5) log(1+S) - relu(0.5-T) log(2-S): an undecided teacher has no say."""
    margin = teacher - 0.5
    return -margin.relu() * (1 + student).log() - (-margin).relu() * (2 - student).log()


def linear(teacher: Tensor, student: Tensor, tau: float) -> Tensor:
    """Return -(T - tau) S."""
    return (tau - teacher) * student


FUNCTIONS: Mapping[Function, Callable[[Tensor, Tensor], Tensor]] = {
    "ce": cross_entropy,
    "cce": confident_cross_entropy,
    "b0.5": partial(linear, tau=0.5),
}


def distillation_loss(
    simnet: SimNet,
    features: Tensor,
    class_logits: Tensor,
    mask_logits: Tensor,
    points: Tensor,
    partner: Tensor,
    shared: Tensor,
    novel: Tensor,
    *,
    function: Function = "cce",
    score: Score = "novel_score",
    student_pairing: Pairing = "cross_image",
    teacher_batch_norm: Literal["train", "eval"] = "train",
) -> Tensor:
    """Return L_dist, a scalar: the mean over images of the mean over their J x J pairs.

    Images whose pair shares no novel class count as 0 and are left out of the teacher's batch statistics. SimNet gets
    no gradient, and the pixel embeddings get it only through the student's mask logits.

    Args:
        simnet: the teacher.
        features: P (B, D, h, w), the pixel embeddings.
        class_logits: (B, Q, K+1), of the last decoder layer.
        mask_logits: (B, Q, h, w), of the last decoder layer.
        points: (B, J) from ``distillation_points``.
        partner: (B,).
        shared: (B,) bool from ``shared_novel``; best on the CPU, its values decide what is computed.
        novel: (C,) ids of the novel classes.
        function: how teacher and student are compared.
        score: see ``student_scores``.
        student_pairing: which two images the student compares.
        teacher_batch_norm: see ``teacher_similarity``.
    """
    gated = shared.nonzero().squeeze(1).to(features.device)  # (G,) images that count
    if not len(gated):
        return features.new_zeros(())
    other = partner[gated]
    embeddings = at_points(features.detach(), points)  # (B, J, D)
    teacher = teacher_similarity(simnet, embeddings[gated], embeddings[other], teacher_batch_norm)
    scores = student_scores(class_logits, mask_logits, points, novel, score)  # (B, J, C)
    student = student_similarity(scores[gated], scores[other if student_pairing == "cross_image" else gated])
    return FUNCTIONS[function](teacher, student).mean((1, 2)).sum() / len(features)
