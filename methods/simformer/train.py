"""Stage function of SimFormer: segmentation losses on every crop, pair losses on pairs of crops [4, 5]."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import record_function

from benchmark.randomness import generator, torch_generator
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.maskformer.losses import segmentation_loss
from methods.maskformer.network import parameter_groups
from methods.planning.checks import check_pairs
from methods.settings import InputSettings, MaskFormerSettings, SimFormerSettings, TrainingSettings
from methods.simformer.pairs import PairSampler
from methods.simformer.transfer import SimilarityTransfer
from methods.supervised import in_passes, new_network
from methods.training.batches import Batch, TrainingImages
from methods.training.distributed import distributed_stage
from methods.training.emulated_ranks import EmulatedRanks, replicas
from methods.training.loading import Loader
from methods.training.loop import Losses, train
from methods.training.precision import forward
from methods.weights.checkpoints import MODEL_FILE, save_model


class PairedImages:
    """Which images a step sees: [x1, r1, x2, r2, ...], each x with its reference image r, or single images [5.3]."""

    def __init__(self, images: TrainingImages, sampler: PairSampler, pairs: str, settings: SimFormerSettings) -> None:
        self.images, self.sampler = images, sampler
        self.single = pairs == "none" and settings.basic_batch == "independent"
        self.own_reference = pairs == "self" and settings.self_view == "augmented"

    def indices(self, step: int, count: int) -> list[int]:
        """Return the ``count`` image indices of a step."""
        if self.single:
            return self.images.indices(step, count)
        chosen: list[int] = []
        for slot, index in enumerate(self.images.indices(step, count // 2)):
            rng = generator(self.images.seed, "partner", step, slot)
            chosen += [index, index if self.own_reference else self.sampler.partner(index, rng)]
        return chosen


def partner_indices(pairs: str, settings: SimFormerSettings, count: int, device: str) -> Tensor:
    """Return (B,) which crop each crop is compared with: its neighbour, or itself for Self-Pair on one view."""
    own = torch.arange(count, device=device)
    return own if pairs == "self" and settings.self_view == "same" else own ^ 1


@distributed_stage
def train_simformer(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes the trained segmenter, and what ``training.snapshots`` keeps of it on the way.

    SimNet stays behind in the last checkpoint.

    Raises:
        BenchmarkError: the batch does not divide into pairs for each emulated process.
    """
    p = context.params
    network = from_json(MaskFormerSettings, p["maskformer"])
    schedule = from_json(TrainingSettings, p["training"])
    settings = from_json(SimFormerSettings, p["simformer"])
    pairs, seed = p["pairs"], p["seed"]
    check_pairs(schedule.batch, schedule.emulate_world_size)
    view = context.training_view()
    images = TrainingImages(view, from_json(InputSettings, p["input"]), seed, context.device)
    labels = [view.labels(image_id) for image_id in view.ids]
    drawn = PairedImages(
        images, PairSampler(labels, frozenset(view.novel), settings.pair_sampler, seed), pairs, settings
    )
    model = new_network(context, network, len(view.classes), seed, channels_last=schedule.channels_last)
    modules = nn.ModuleDict({"model": model})
    transfers: list[SimilarityTransfer] = []  # one an emulated rank, with one set of parameters
    if pairs != "none":
        transfer = SimilarityTransfer(settings, network.feature_channels, len(view.classes), view.novel)
        transfers = replicas(transfer.to(context.device), schedule.emulate_world_size)
        modules["transfer"] = nn.ModuleList(transfers)
    emulated = EmulatedRanks(model, schedule, seed)
    partner = partner_indices(pairs, settings, schedule.batch // schedule.emulate_world_size, context.device)

    def losses(step: int) -> Iterator[Losses]:
        batch = loader.batch(step)
        masks = emulated.masks(batch)
        for rank, share in emulated.shares(step, batch):
            if transfers:
                points = torch_generator(seed, "points", step, rank, device=context.device)
                yield with_pairs(share, transfers[rank], points, masks)
            else:
                weight, theta = settings.complementary_weight, settings.theta
                yield from in_passes(model, share, network, schedule, masks, weight, theta)

    def with_pairs(share: Batch, transfer: SimilarityTransfer, points: torch.Generator, masks: float) -> Losses:
        output = forward(model, share.images, schedule.precision)
        terms = segmentation_loss(
            output,
            share.targets,
            share.pad,
            network,
            complementary_weight=settings.complementary_weight,
            theta=settings.theta,
            mask_normaliser=masks,
        )
        with record_function("step: SimNet and distillation"):
            similarity, distillation = transfer(output, share, partner, points)
        total = terms["total"] + settings.similarity_weight * similarity + settings.distillation_weight * distillation
        return terms | {"total": total, "similarity": similarity, "distillation": distillation}

    loader = Loader(
        images,
        lambda step: drawn.indices(step, schedule.batch),
        emulated.slots,
        schedule.iterations,
        context.hints.get("workers", 0),
    )
    parameters = parameter_groups(
        model, transfers[:1], schedule.lr, schedule.weight_decay, schedule.backbone_lr_multiplier
    )

    def save(path: Path) -> None:
        save_model(path, model, network, len(view.classes))

    with loader:
        final = train(context, modules, parameters, losses, schedule, seed=seed, replicas=transfers, save=save)
    save(context.out / MODEL_FILE)
    return final
