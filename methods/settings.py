"""The settings of the methods, one frozen dataclass a section of a profile.

Defaults are the paper's values for COCO-Stuff-10K; README.md beside this file explains the numbers in brackets. A
profile changes sizes; a preset changes behaviour. A value outside of a field's range is refused when a plan is made;
what has to fit together is checked in ``methods.planning.checks``. Every field is in the keys of the stages that are
given it, unless it says that it is ``not_identity``.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from benchmark.settings import identity_if_changed, not_identity

Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Sizes = Annotated[tuple[Count, ...], Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Precision = Literal["fp32", "tf32", "bf16"]


@dataclass(frozen=True)
class InputSettings:
    """How images become tensors, in training and at test."""

    train_short: Sizes = (320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960)
    train_longest: Count = 2560
    crop: Count = 640
    flip: bool = True
    colour_jitter: bool = True
    test_short: Count = 640
    test_longest: Count = 2560
    size_divisor: Count = 32
    presence: Literal["image", "crop"] = "image"  # where the image-level labels of a training crop come from
    workers: Natural = not_identity(0)  # threads that make the crops of coming steps; 0 makes them when they are needed


@dataclass(frozen=True)
class MaskFormerSettings:
    """The segmentation network, its matching costs and its loss weights."""

    backbone: Literal["resnet50", "narrow"] = "resnet50"
    backbone_width: Annotated[int, Field(ge=2)] = 64
    weights: str = (
        ""  # "" random, "imagenet", or a file; with `pretrain.iterations` > 0 the pre-trained backbone is used
    )
    feature_channels: Count = 256
    hidden: Count = 256
    heads: Count = 8
    ffn: Count = 2048
    layers: Count = 6
    queries: Count = 100
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    pre_norm: bool = False
    memory_stride: Count = 32
    class_seed: float = 0.0
    match_class: Weight = 1.0
    match_mask: Weight = 20.0
    match_dice: Weight = 1.0
    column_order: Literal["fixed", "official"] = "fixed"
    loss_class: Weight = 1.0
    loss_mask: Weight = 20.0
    loss_dice: Weight = 1.0
    no_object_weight: Weight = 0.1


@dataclass(frozen=True)
class TrainingSettings:
    """Optimiser and schedule [2.6].

    ``snapshots`` counts points of the schedule where the released code counts iterations between them, so that it means
    the same in a schedule of any length: 6 is every 10,000 of 60,000 iterations [6.2]. Evaluations take them by
    ``evaluation.at``; no other result depends on them.
    """

    iterations: Natural = 60_000
    batch: Count = 8
    lr: Positive = 1e-4
    weight_decay: Weight = 1e-4
    backbone_lr_multiplier: Weight = 0.1
    clip: Positive = 0.01
    warmup: Natural = 0
    poly: Weight = 0.9
    log_every: Count = 50
    emulate_world_size: Count = 1  # ranks that share the batch, each with its own normalisers, as so many GPUs [5.4]
    micro_batch: Natural = 0  # images a backward pass, for memory; 0 is a rank's whole share. Not with pixel pairs
    precision: Precision = "fp32"  # of convolutions and products on a GPU; bf16: of the network's forward pass alone
    channels_last: bool = False  # hold the weights in that layout; images come in it anyway
    snapshots: Count = identity_if_changed(1)  # networks kept, equally far apart; the last one is the trained network
    seconds_per_iteration: Weight = not_identity(14.0)  # CPU seconds; for estimates only


@dataclass(frozen=True)
class PretrainSettings:
    """Backbone pre-training on image-level labels, in place of ImageNet weights; 0 iterations switch it off."""

    iterations: Natural = 0
    batch: Count = 16
    lr: Positive = 2e-3
    weight_decay: Weight = 1e-2
    seconds_per_iteration: Weight = not_identity(0.02)  # CPU seconds; for estimates only


@dataclass(frozen=True)
class SimFormerSettings:
    """Proposal-level and pixel-level similarity transfer [4.3-4.5, 5]."""

    complementary_weight: Weight = 0.15
    theta: float = -2.9444  # logit(0.05): the constant "ignore" proposal
    points: Count = 100  # J
    positive_ratio: Share = 0.8
    simnet_hidden: Count = 256
    simnet_blocks: Count = 3
    absolute_difference: bool = False  # SimNet sees |a - b| beside the two features; not in the paper
    similarity_weight: Weight = 1.0
    detach_features: bool = True
    valid_rule: Literal["or", "and"] = "or"
    distillation_weight: Weight = 0.1
    distillation: Literal["ce", "cce", "b0.5"] = "cce"
    student: Literal["novel_score", "full_score", "full_logit", "full_logit_c"] = "novel_score"
    student_pairing: Literal["cross_image", "same_image"] = "cross_image"
    teacher_bn: Literal["train", "eval"] = "train"
    exclude_pad: bool = False
    pair_sampler: Literal["deconf_fixed", "official"] = "deconf_fixed"
    basic_batch: Literal["independent", "pairs"] = (
        "independent"  # what Basic trains on: single images, or the same pairs
    )
    self_view: Literal["same", "augmented"] = "same"  # Self-Pair: the crop itself, or a second crop of its image
    seconds_per_iteration: Weight = not_identity(4.0)  # of the pair losses at J = 100; CPU seconds; for estimates only


@dataclass(frozen=True)
class RetrainSettings:
    """Which network learns from pseudo labels [7]."""

    network: Literal["maskformer", "largefov"] = "maskformer"


@dataclass(frozen=True)
class LargeFovSettings:
    """DeepLab-LargeFOV: head, optimiser and schedule [largefov 1a, 2]. Its backbone is that of MaskFormer."""

    hidden: Count = 1024
    dilation: Count = 12  # of the head's 3x3 convolution
    freeze_norms: bool = True  # batch norms keep statistics and affine; those of resnet50 always do
    balanced: bool = False  # mean over base pixels + mean over novel pixels, in place of the mean over all
    iterations: Natural = 15_000
    batch: Count = 10
    lr: Positive = 1e-3
    head_lr_multiplier: Positive = 10.0
    bias_lr_multiplier: Positive = 20.0  # of the last layer's bias
    optimiser: Literal["sgd", "adamw"] = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9  # of sgd
    weight_decay: Weight = 5e-4
    clip: Weight = 0.0  # largest norm of the gradient; 0 sets no limit
    warmup: Natural = 0
    poly: Weight = 0.9
    log_every: Count = 50
    micro_batch: Natural = 0  # these four as in ``training``
    precision: Precision = "fp32"
    channels_last: bool = False
    snapshots: Count = identity_if_changed(1)
    seconds_per_iteration: Weight = not_identity(230.0)  # CPU seconds; for estimates only


@dataclass(frozen=True)
class EvaluationSettings:
    """Inference on whole images [6.3]."""

    part: Literal["test", "val"] = "test"  # "val" to choose a recipe without looking at the test images
    at: float | str = 1.0  # which network: the one after that share of its training, as 1/6; ``snapshots`` keeps them
    seconds_per_image: Weight = not_identity(2.0)  # CPU seconds; for estimates only
