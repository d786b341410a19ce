"""D: IRN's edge network learns from the confident labels where one class ends and another begins.

H x W is an image, h x w its map at stride 4. The backbone is the classifier's, frozen; only a head on its maps learns.
IRN also reads the map of the stem, which the shared backbones do not return.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.datasets import Crop, TrainingView, Window
from benchmark.datasets.base import Image
from benchmark.errors import BenchmarkError
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.maskformer.backbones import Backbone
from methods.pseudo_labels import PseudoLabelledImages
from methods.rib.settings import EdgePart, HeadPart
from methods.settings import InputSettings, MaskFormerSettings, TrainingSettings
from methods.training.batches import Batch, TrainingImages
from methods.training.loop import Losses, train
from methods.weights.checkpoints import save_tensors
from methods.wsss.affinity import WITH_BACKGROUND, WITHOUT_BACKGROUND, affinity_loss, pair_labels
from methods.wsss.boundary import EdgeHead, mirrored_edge, path_affinity
from methods.wsss.cam import STRIDE, load_classifier, scaled_views
from methods.wsss.geometry import PairGrid

HEAD_FILE = "edges.safetensors"


class ConfidentImages(PseudoLabelledImages):
    """Training images with tags; their labels are those of a stage's folder.

    The tags are said to be present in every crop, so that one in which nothing is confident is no error.
    """

    def __init__(self, view: TrainingView, folder: Path) -> None:
        super().__init__(view, folder)
        self.ids = tuple(image_id for image_id in view.ids if view.labels(image_id))

    def crop(self, image_id: str, window: Window, adjust: Callable[[Image], Image] | None = None) -> Crop:
        """Return what ``window`` shows."""
        return super().crop(image_id, window, adjust)._replace(present_novel=tuple(sorted(self._view.labels(image_id))))


class EdgeNetwork:
    """A frozen backbone in evaluation mode, and the head on its maps."""

    def __init__(self, backbone: Backbone, head: EdgeHead) -> None:
        self.backbone, self.head = backbone.requires_grad_(False), head

    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) -> edge logits (B, h, w); gradients reach the head alone."""
        with torch.no_grad():
            maps = self.backbone(images)
        result: Tensor = self.head(maps)
        return result

    @torch.inference_mode()
    def edge(self, image: NDArray[np.uint8]) -> Tensor:
        """Image (H, W, 3) -> edge (h, w) in [0, 1], of it and its mirror."""
        device = next(self.head.parameters()).device
        return mirrored_edge(self.logits(scaled_views(image, 1.0, flip=True, device=device)))


def train_edges(context: StageContext) -> Mapping[str, Any]:
    """Stage function of D. Pairs of unknown pixels teach nothing; labels are read at every fourth pixel."""
    p = context.params
    part, seed = from_json(EdgePart, p["rib"]), p["seed"]
    view = context.training_view()
    source = ConfidentImages(view, context.inputs["labels"])
    if not source.ids:
        raise BenchmarkError("no training image has a tag: there is nothing that edges could be learnt from.")
    torch.manual_seed(seed)
    network = new_network(context, part)
    images = TrainingImages(source, from_json(InputSettings, p["input"]), seed, context.device)
    background = len(view.classes) if part.background == "class" else None

    def losses(step: int) -> Iterator[Losses]:
        batch = images.batch(step, images.indices(step, part.edge_batch))
        yield {"total": edge_loss(network.logits(batch.images), batch, part, background)}

    schedule = TrainingSettings(
        iterations=part.edge_iterations,
        batch=part.edge_batch,
        lr=part.edge_lr,
        weight_decay=part.edge_weight_decay,
        clip=part.edge_clip,
        poly=part.edge_poly,
    )
    group = {"params": list(network.head.parameters()), "lr": part.edge_lr, "weight_decay": part.edge_weight_decay}
    final = train(context, nn.ModuleDict({"head": network.head}), [group], losses, schedule, seed=seed)
    save_tensors(context.out / HEAD_FILE, network.head.state_dict())
    return final


def edge_loss(logits: Tensor, batch: Batch, part: EdgePart, background: int | None) -> Tensor:
    """Return IRN's loss of edge logits (B, h, w): two pixels are alike as far as no edge lies on the path between them.

    Without a background class half of the loss is of equal pairs, half of different ones.
    """
    grid = PairGrid(logits.shape[-2], logits.shape[-1], part.edge_radius, part.edge_border)
    kinds = pair_labels(batch.labels[:, ::STRIDE, ::STRIDE], grid, background)
    weights = WITHOUT_BACKGROUND if background is None else WITH_BACKGROUND
    return affinity_loss(path_affinity(logits.sigmoid(), grid), kinds, weights)


def new_network(context: StageContext, part: HeadPart) -> EdgeNetwork:
    """Return the backbone of input stage ``backbone`` with a head drawn from torch's generator."""
    maskformer = from_json(MaskFormerSettings, context.params["maskformer"])
    backbone = load_classifier(context.inputs["backbone"], maskformer, 1, context.device).backbone
    strides = [*backbone.strides[:-1], backbone.strides[-2]]  # the last stage has lost its stride
    head = EdgeHead(backbone.channels, strides, part.edge_width, part.edge_groups, strides.index(STRIDE))
    return EdgeNetwork(backbone, head.to(context.device))


def load_network(context: StageContext, part: HeadPart) -> EdgeNetwork:
    """Return the network of input stages ``backbone`` and ``edges``, in evaluation mode.

    Raises:
        BenchmarkError: the file is missing, broken, or holds another network.
    """
    network = new_network(context, part)
    path = context.inputs["edges"] / HEAD_FILE
    try:
        network.head.load_state_dict(load_file(path))
    except (RuntimeError, OSError, SafetensorError) as error:
        raise BenchmarkError(
            f"{path} does not hold RIB's edge network ({error}). Remove the folder {path.parent} and run again."
        ) from error
    network.head.eval()
    return network
