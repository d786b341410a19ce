"""E and F: responses of all tags walk up to the edges; then base masks take over what they cover.

H x W is an image, h x w its map at stride 4, T the number of its tags.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.datasets import IGNORE
from benchmark.errors import BenchmarkError
from benchmark.labels import mask_path, read_mask
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.pseudo_labels import PseudoLabelWriter
from methods.rib.edges import load_network
from methods.rib.settings import MergePart, WalkPart
from methods.wsss.boundary import edge_transition
from methods.wsss.cam import STRIDE, cam_path, read_cam
from methods.wsss.geometry import grid_size
from methods.wsss.random_walk import class_map, edge_response, enlarged, walk
from methods.wsss.working import WorkingImages


@torch.inference_mode()
def propagate(context: StageContext) -> Mapping[str, Any]:
    """Stage function of E: writes the responses of every training image after the walk, and the labels in them.

    No mask is used: one run serves every split and every training seed. A pixel whose response falls short has 255.
    """
    part = from_json(WalkPart, context.params["rib"])
    network = load_network(context, part)
    images = WorkingImages(context)
    pixels = labelled = tagged = placed = 0
    for done, image_id in enumerate(images.ids, start=1):
        size, tags = images.size(image_id), sorted(images.labels(image_id))
        edge = network.edge(images.image(image_id))
        response = spread(torch.from_numpy(read_cam(cam_path(context.inputs["cam"], image_id)).cam), edge, part)
        write_response(response_path(context.out, image_id), response)
        labels = images.write(image_id, decided(response, tags, size, part.reject))
        pixels += labels.size
        labelled += int((labels != IGNORE).sum())
        tagged += len(tags)
        placed += sum(bool((labels == tag).any()) for tag in tags)
        context.progress(done, len(images.ids))
    return {
        "images": len(images.ids),
        "labelled_share": labelled / max(1, pixels),
        "tags": tagged,
        "placed_share": placed / max(1, tagged),
    }


def merge_masks(context: StageContext) -> Mapping[str, Any]:
    """Stage function of F: writes one 8-bit PNG a training image: base masks, novel tags of input ``walk``, 255."""
    part = from_json(MergePart, context.params["rib"])
    images = WorkingImages(context)
    writer = PseudoLabelWriter(context, images.view)
    for image_id in images.ids:
        writer.write(image_id, _pseudo_labels(context.inputs["walk"], images, image_id, part))
    return writer.summary()


def spread(cam: Tensor, edge: Tensor, part: WalkPart) -> Tensor:
    """Return the responses (T, h, w) after the walk, on the CPU, of activation maps (T, h, w) and an edge (h, w).

    They are divided by their one maximum and kept in half precision: later steps compare them, and nothing else.
    """
    if not len(cam):
        return cam.half()
    response = edge_response(cam.to(edge.device), edge, part.power)
    walked = walk(response, edge_transition(edge, part.walk_radius, part.beta), part.steps_log2)
    return (walked / walked.max().clamp(min=1e-12)).half().cpu()


def decided(
    response: Tensor,
    tags: list[int],
    size: tuple[int, int],
    reject: float,
    among: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Return the class (H, W) of the highest response; 255 where it is not above ``reject`` times the highest of all.

    Args:
        response: (T, h, w).
        tags: (T,) class ids.
        size: H and W.
        reject: share of the highest.
        among: (H, W); pixels outside have no part in this.
    """
    if not tags:
        return np.full(size, IGNORE, np.uint8)
    large = enlarged(response.float(), STRIDE, size)
    if among is not None:
        large = large * torch.from_numpy(among)
    return class_map(large, torch.tensor(tags), reject).numpy().astype(np.uint8)


def response_path(folder: Path, image_id: str) -> Path:
    """Return where the responses of an image lie in a stage's folder."""
    return folder / "responses" / f"{image_id}.npy"


def write_response(path: Path, response: Tensor) -> None:
    """Write responses (T, h, w)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, response.numpy())


def read_response(path: Path, tags: int, size: tuple[int, int]) -> Tensor:
    """Return the responses of a file of ``write_response``.

    Raises:
        BenchmarkError: it is missing, broken, or not of so many tags and an image of this size.
    """
    try:
        found = torch.from_numpy(np.load(path))
    except (OSError, ValueError, EOFError) as error:
        raise BenchmarkError(
            f"{path}: no responses of this image ({error}). Remove the folder of that stage and run again."
        ) from error
    expected = (tags, *grid_size(size, STRIDE))
    if tuple(found.shape) != expected:
        raise BenchmarkError(
            f"{path} is {tuple(found.shape)}, expected {expected}. Remove the folder of that stage and run again."
        )
    return found


def _pseudo_labels(folder: Path, images: WorkingImages, image_id: str, part: MergePart) -> NDArray[np.uint8]:
    """Return the class that each pixel is taken for, before base masks are laid over it."""
    if part.argmax == "all":
        return read_mask(mask_path(folder, image_id), images.view.size(image_id))
    size, tags = images.size(image_id), sorted(images.labels(image_id))
    response = read_response(response_path(folder, image_id), len(tags), size)
    novel = [row for row, tag in enumerate(tags) if tag in images.novel]
    unknown = images.base_mask(image_id) == IGNORE
    return decided(response[novel], [tags[row] for row in novel], size, part.reject, unknown)
