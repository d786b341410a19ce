"""Similarity transfer: the two pair losses of SimFormer on the images of one rank [4.4, 4.5]."""

import torch
from torch import Tensor, nn

from methods.maskformer.network import Output
from methods.settings import SimFormerSettings
from methods.simformer.distillation import distillation_loss, shared_novel
from methods.simformer.points import (
    base_classes_present,
    common_class,
    distillation_points,
    downsample,
    similarity_points,
)
from methods.simformer.similarity import BalanceQueue, pixel_similarity_loss
from methods.simformer.simnet import SimNet
from methods.training.batches import Batch


class SimilarityTransfer(nn.Module):
    """SimNet and its balance queue; lives beside the segmenter in training and is not needed afterwards.

    Args:
        settings: J, sizes and switches.
        channels: D, of the pixel embeddings.
        classes: K.
        novel: ids of the novel classes.
    """

    novel: Tensor

    def __init__(self, settings: SimFormerSettings, channels: int, classes: int, novel: tuple[int, ...]) -> None:
        super().__init__()
        s = self.settings = settings
        self.classes = classes
        self.simnet = SimNet(channels, s.simnet_hidden, s.simnet_blocks, s.absolute_difference)
        self.balance = BalanceQueue()
        self.register_buffer("novel", torch.tensor(novel, dtype=torch.int64), persistent=False)

    def forward(
        self, output: Output, batch: Batch, partner: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return L_sim and L_dist, two scalars.

        Args:
            output: of the segmenter for ``batch``.
            batch: images and their labels.
            partner: (B,) index of the image that each is compared with; its own inverse.
            generator: of the points, on the device of the batch.
        """
        s, features = self.settings, output.features
        size = (features.shape[-2], features.shape[-1])
        labels, pad = downsample(batch.labels, size), downsample(batch.pad, size)
        common = common_class(base_classes_present(batch.labels, self.classes), partner, generator)
        points = similarity_points(labels, pad, common, s.points, generator, s.positive_ratio)
        similarity = pixel_similarity_loss(
            self.simnet,
            features,
            points,
            labels,
            partner,
            self.balance,
            valid_rule=s.valid_rule,
            detach_features=s.detach_features,
        )
        points = distillation_points(labels, pad, s.points, generator, exclude_pad=s.exclude_pad)
        last = output.last
        distillation = distillation_loss(
            self.simnet,
            features,
            last.logits[0],
            last.masks[0],
            points,
            partner,
            shared_novel(_presence(batch.novel, self.classes), partner.cpu()),
            self.novel,
            function=s.distillation,
            score=s.student,
            student_pairing=s.student_pairing,
            teacher_batch_norm=s.teacher_bn,
        )
        return similarity, distillation


def _presence(sets: list[frozenset[int]], classes: int) -> Tensor:
    """Return (B, K) bool on the CPU."""
    present = torch.zeros(len(sets), classes, dtype=torch.bool)
    for row, ids in enumerate(sets):
        present[row, sorted(ids)] = True
    return present
