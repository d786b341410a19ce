"""S2: what is known of every training image before anything spreads.

Boundaries, and the mixed labels that the affinity network learns from. H x W is an image, h x w the working grid, T the
number of novel tags of the image.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.datasets import IGNORE, TrainingView
from benchmark.errors import BenchmarkError
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.maskformer.network import normalise
from methods.retab.networks import PixelNetwork, load_network
from methods.retab.settings import MiningPart, NonboundaryPart
from methods.wsss.affinity import mixed_labels
from methods.wsss.boundary import BoundaryHead, base_target, nonboundary_map
from methods.wsss.cam import Cam, cam_path, read_cam
from methods.wsss.geometry import grid_size
from methods.wsss.mining import MiningSettings, argmax_labels, mine
from methods.wsss.working import WorkingImages


def label_training_images(context: StageContext) -> Mapping[str, Any]:
    """Stage function of S2: writes the boundary logits of every training image, and its mixed labels.

    Mixed labels are the base masks, and confident novel tags where they leave room and no boundary is seen.
    """
    p = context.params
    part = from_json(MiningPart, p["retab"])
    network = load_network(context.inputs["boundary"], p["maskformer"], BoundaryHead, part, context.device)
    images = WorkingImages(context)
    pixels = unknown = boundary = mined = 0
    for done, image_id in enumerate(images.ids, start=1):
        base = images.base_mask(image_id)
        logits = boundary_logits(network, images.image(image_id), part.stride)
        write_boundary(boundary_path(context.out, image_id), logits)
        nonboundary = nonboundary_of(logits, base.shape, part)
        cam = read_cam(cam_path(context.inputs["cam"], image_id))
        labels = labels_to_learn(images, image_id, cam, nonboundary, part, context.device)
        images.write(image_id, labels)
        pixels += base.size
        unknown += int((base == IGNORE).sum())
        boundary += int((~nonboundary).sum())
        mined += int((labels != base).sum())
        context.progress(done, len(images.ids))
    return {"boundary_share": boundary / max(1, pixels), "mined_share": mined / max(1, unknown)}


def labels_to_learn(
    view: TrainingView | WorkingImages,
    image_id: str,
    cam: Cam,
    nonboundary: Tensor,
    part: MiningPart,
    device: str = "cpu",
) -> NDArray[np.uint8]:
    """Return the mixed labels (H, W) of an image: base ids, confident novel ids, 255.

    Pairs of them are what [retab 7c] asks for: base pixels as the ground truth says, two unknown ones by their
    confident labels, a base and a confident unknown one negative.
    """
    base, tags = view.base_mask(image_id), novel_tags(view, image_id)
    response = novel_response(cam, tags, base == IGNORE, renormalise=part.renormalise)
    if part.mining == "cam":
        mined = argmax_labels(response, tags, part.mining_tau)
    else:
        mined = _refined(view.image(image_id), response, tags, base, part, device)
    if part.known_contour:
        nonboundary = nonboundary & ~base_target(torch.from_numpy(base)[None], part.boundary_radius).boundary[0]
    mixed = mixed_labels(torch.from_numpy(base), torch.from_numpy(mined), nonboundary)
    labels: NDArray[np.uint8] = mixed.numpy()
    return labels


def _refined(
    image: NDArray[np.uint8],
    response: NDArray[np.float32],
    tags: Sequence[int],
    base: NDArray[np.uint8],
    part: MiningPart,
    device: str,
) -> NDArray[np.uint8]:
    """Return what is left of the labels after PSA's CRF, in which base pixels are certain."""
    if not len(tags):
        return np.full_like(base, IGNORE)
    shown = np.setdiff1d(base, [IGNORE])
    nothing = np.zeros((len(shown), *base.shape), np.float32)  # base classes have no pixel outside their masks
    settings = MiningSettings(
        rule="psa",
        background="base",
        tau=part.mining_tau,
        crf_scale=part.mining_crf_scale,
        backend=part.mining_crf_backend,
        device=device,
    )
    return mine(image, np.concatenate([nothing, response]), [*shown.tolist(), *tags], settings, base)


def novel_tags(view: TrainingView | WorkingImages, image_id: str) -> list[int]:
    """Return the novel classes an image is known to have, ascending."""
    return [c for c in view.novel if c in view.labels(image_id)]


def novel_response(
    cam: Cam, tags: Sequence[int], unknown: NDArray[np.bool_], *, renormalise: bool
) -> NDArray[np.float32]:
    """Return the activation (T, H, W) of the novel tags on unknown pixels, 0 on base pixels.

    With ``renormalise`` each map is divided by its maximum over unknown pixels: what a classifier finds most typical of
    a novel class may be a base object beside it.
    """
    rows = np.searchsorted(cam.keys, tags)
    response: NDArray[np.float32] = cam.high_res[rows] * unknown
    if renormalise:
        response /= response.max(axis=(1, 2), keepdims=True, initial=0.0) + np.float32(1e-5)
    return response


@torch.inference_mode()
def boundary_logits(network: PixelNetwork, image: NDArray[np.uint8], stride: int) -> Tensor:
    """Return the logits (h, w) of an image (H, W, 3) on the working grid, before their bilinear upsampling."""
    device = next(network.parameters()).device
    grid = grid_size((image.shape[0], image.shape[1]), stride)
    logits: Tensor = network(normalise(torch.tensor(image).to(device)[None]), grid)
    return logits[0].cpu()


def nonboundary_of(logits: Tensor, size: Sequence[int], part: NonboundaryPart) -> Tensor:
    """Return where there is no boundary, (H, W) bool, from logits (h, w)."""
    large = F.interpolate(logits[None, None], size=tuple(size), mode="bilinear", align_corners=True)[0, 0]
    return nonboundary_map(large.sigmoid(), part.boundary_threshold, part.boundary_kernel)


def boundary_path(folder: Path, image_id: str) -> Path:
    """Return where the boundary logits of an image lie in a stage's folder."""
    return folder / "boundaries" / f"{image_id}.npy"


def write_boundary(path: Path, logits: Tensor) -> None:
    """Write logits (h, w)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, logits.numpy())


def read_boundary(path: Path) -> Tensor:
    """Return the logits (h, w) of a file of ``write_boundary``. Raises BenchmarkError where it is missing or broken."""
    try:
        return torch.from_numpy(np.load(path))
    except (OSError, ValueError, EOFError) as error:
        raise BenchmarkError(
            f"{path}: no boundary map of this image ({error}). Remove the folder of that stage and run again."
        ) from error
