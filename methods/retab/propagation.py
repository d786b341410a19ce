"""S4: responses of novel tags spread over similar pixels, first away from boundaries, then into them.

H x W is an image, h x w the working grid, T the number of novel tags. In place of RETAB's background there is a channel
"known base", the first, which is 1 on base pixels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmark.datasets import IGNORE
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.maskformer.network import normalise
from methods.pseudo_labels import PseudoLabelWriter
from methods.retab.maps import boundary_path, nonboundary_of, novel_response, novel_tags, read_boundary
from methods.retab.networks import load_network
from methods.retab.settings import WalkPart
from methods.wsss.affinity import AffinityHead, pair_affinity
from methods.wsss.boundary import at_stride
from methods.wsss.cam import cam_path, read_cam
from methods.wsss.geometry import PairGrid
from methods.wsss.random_walk import class_map, enlarged, known_response, pooled, retab_masks, transition, walk
from methods.wsss.working import WorkingImages


@torch.inference_mode()
def propagate(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes one 8-bit PNG a training image: base masks, novel tags where they spread to, 255."""
    p = context.params
    part = from_json(WalkPart, p["retab"])
    network = load_network(context.inputs["affinity"], p["maskformer"], AffinityHead, part, context.device)
    images = WorkingImages(context)
    writer = PseudoLabelWriter(context, images.view)
    for image_id in images.ids:
        labels, tags = images.base_mask(image_id), novel_tags(images, image_id)
        unknown = labels == IGNORE
        if tags and unknown.any():
            features = network(normalise(torch.tensor(images.image(image_id)).to(context.device)[None]))
            cam = read_cam(cam_path(context.inputs["cam"], image_id))
            response = novel_response(cam, tags, unknown, renormalise=part.renormalise)
            logits = read_boundary(boundary_path(context.inputs["labels"], image_id))
            nonboundary = nonboundary_of(logits, labels.shape, part)
            spread_out = spread(torch.from_numpy(response), torch.from_numpy(~unknown), nonboundary, features, part)
            labels = decided(spread_out, tags, part).numpy()
        writer.write(image_id, labels)
    return writer.summary()


def spread(response: Tensor, known: Tensor, nonboundary: Tensor, features: Tensor, part: WalkPart) -> Tensor:
    """Return the responses (T+1, H, W), on the CPU, after both stages.

    Stage 1 stays off boundaries; in stage 2 only they receive. With ``part.clamp`` the cells of the grid that lie
    wholly within base masks keep their response at every step of both.

    Args:
        response: (T, H, W), 0 on base pixels.
        known: (H, W) bool, base pixels.
        nonboundary: (H, W) bool.
        features: (1, C, h, w) of the affinity network; the walk takes place on their device.
        part: the settings.
    """
    device, size = features.device, (known.shape[0], known.shape[1])
    grid = PairGrid(features.shape[-2], features.shape[-1], part.affinity_radius, part.border)
    affinity = pair_affinity(features, grid)[0]
    base = pooled(known[None].float(), part.stride)[0].to(device) == 1
    now = pooled(known_response(response, known), part.stride, part.padding).to(device)
    cells = at_stride(nonboundary, part.stride, aligned=part.alignment == "pixel").to(device)
    first, second = retab_masks(cells)
    for masks in (first, second):
        if masks is second and part.between_stages == "image":
            now = pooled(enlarged(now, part.stride, size), part.stride, part.padding)
        matrix = transition(
            affinity,
            grid,
            part.beta,
            senders=masks.senders,
            receivers=masks.receivers,
            known=base if part.clamp else None,
        )
        now = walk(now, matrix, part.steps_log2)
    return enlarged(now, part.stride, size).cpu()


def decided(response: Tensor, tags: Sequence[int], part: WalkPart) -> Tensor:
    """Return the novel class (H, W) int64 of the highest response (T+1, H, W), 255 where nothing is said.

    That is where the highest is not above ``part.tau`` times the highest of all novel responses in the image, and where
    "known base", the first channel, is higher and may compete.
    """
    base, novel = response[0], response[1:]
    labels = class_map(novel, torch.tensor(tags), part.tau)
    if part.base_channel == "reject":
        labels = labels.where(novel.amax(0) >= base, IGNORE)
    return labels
