"""S1 and S3: the boundary network learns from base masks, the affinity network from mixed labels."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from benchmark.datasets import Crop, TrainingView, Window
from benchmark.datasets.base import Image
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.maskformer.network import parameter_groups
from methods.pseudo_labels import PseudoLabelledImages
from methods.retab.networks import NETWORK_FILE, PixelNetwork, new_network
from methods.retab.settings import AffinityPart, BoundaryPart, TrainingPart
from methods.settings import InputSettings, TrainingSettings
from methods.training.batches import Batch, CropSource, TrainingImages
from methods.training.loop import Losses, train
from methods.weights.checkpoints import save_tensors
from methods.wsss.affinity import WITHOUT_BACKGROUND, AffinityHead, affinity_loss, pair_affinity, pair_labels
from methods.wsss.boundary import BoundaryHead, base_target, boundary_loss
from methods.wsss.geometry import PairGrid

BatchLoss = Callable[[PixelNetwork, Batch], Tensor]


def train_boundary(context: StageContext) -> Mapping[str, Any]:
    """Stage function of S1: contours between base classes, and between base and unknown pixels.

    Unknown pixels away from them may be anything and have no loss [retab 7c].
    """
    part = from_json(BoundaryPart, context.params["retab"])
    network = new_network(context, BoundaryHead, part, context.params["seed"])

    def loss(network: PixelNetwork, batch: Batch) -> Tensor:
        logits = network(batch.images, tuple(batch.labels.shape[-2:]))  # (B, H, W)
        return boundary_loss(logits, base_target(batch.labels, part.boundary_radius, batch.pad))

    return _train(context, network, context.training_view(), loss, part, part.boundary_iterations, part.boundary_lr)


def train_affinity(context: StageContext) -> Mapping[str, Any]:
    """Stage function of S3: whether two neighbours are of one class, by the label maps of input stage ``labels``.

    There is no background class: half of the loss is of equal pairs, half of different ones. Maps are read at every
    ``stride``-th pixel.
    """
    part = from_json(AffinityPart, context.params["retab"])
    source = MixedImages(context)
    network = new_network(context, AffinityHead, part, context.params["seed"])

    def loss(network: PixelNetwork, batch: Batch) -> Tensor:
        features = network(batch.images)  # (B, C, h, w)
        grid = PairGrid(features.shape[-2], features.shape[-1], part.affinity_radius, part.border)
        kinds = pair_labels(batch.labels[:, :: part.stride, :: part.stride], grid, background=None)
        return affinity_loss(pair_affinity(features, grid), kinds, WITHOUT_BACKGROUND)

    return _train(context, network, source, loss, part, part.affinity_iterations, part.affinity_lr)


class MixedImages:
    """Training images whose labels are those of input stage ``labels``."""

    def __init__(self, context: StageContext) -> None:
        self._view: TrainingView = context.training_view()
        self._labelled = PseudoLabelledImages(self._view, context.inputs["labels"])
        self.ids, self.novel = self._view.ids, self._view.novel

    def size(self, image_id: str) -> tuple[int, int]:
        """Return height and width."""
        return self._view.size(image_id)

    def crop(self, image_id: str, window: Window, adjust: Callable[[Image], Image] | None = None) -> Crop:
        """Return what ``window`` shows, with mixed labels.

        Novel classes are said to be present, so that a crop in which nothing is confident is no error.
        """
        present = tuple(c for c in self.novel if c in self._view.labels(image_id))
        return self._labelled.crop(image_id, window, adjust)._replace(present_novel=present)


def _train(
    context: StageContext,
    network: PixelNetwork,
    source: CropSource,
    loss: BatchLoss,
    part: TrainingPart,
    iterations: int,
    lr: float,
) -> dict[str, float]:
    """Train ``network`` on crops of ``source``, write it, and return the last losses."""
    seed = context.params["seed"]
    images = TrainingImages(source, from_json(InputSettings, context.params["input"]), seed, context.device)
    schedule = TrainingSettings(
        iterations=iterations,
        batch=part.batch,
        lr=lr,
        weight_decay=part.weight_decay,
        clip=part.clip,
        warmup=part.warmup,
        poly=part.poly,
    )

    def losses(step: int) -> Iterator[Losses]:
        yield {"total": loss(network, images.batch(step, images.indices(step, part.batch)))}

    groups = parameter_groups(network, (), lr, part.weight_decay, part.backbone_lr_multiplier)
    final = train(context, nn.ModuleDict({"network": network}), groups, losses, schedule, seed=seed)
    save_tensors(context.out / NETWORK_FILE, network.state_dict())
    return final
