"""Stage functions from image tags to label maps: class activation maps, and the highest of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.datasets import IGNORE
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.pseudo_labels import PseudoLabelWriter
from methods.settings import MaskFormerSettings
from methods.wsss.cam import Cam, activation_sums, cam_path, load_classifier, read_cam, write_sums
from methods.wsss.random_walk import class_map
from methods.wsss.settings import CamSettings
from methods.wsss.working import WorkingImages


def activation_maps(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes the activation maps of all tags of every training image, base and novel.

    No mask is used, so one run serves every split and every seed.
    """
    settings = from_json(CamSettings, context.params["cam"])
    maskformer = from_json(MaskFormerSettings, context.params["maskformer"])
    network = load_classifier(context.inputs["backbone"], maskformer, settings.last_stride, context.device)
    images = WorkingImages(context)
    for done, image_id in enumerate(images.ids, start=1):
        sums = activation_sums(network, images.image(image_id), sorted(images.labels(image_id)), settings)
        write_sums(cam_path(context.out, image_id), sums)
        context.progress(done, len(images.ids))
    return {"images": len(images.ids)}


def label_by_activation(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes label maps of the highest activation in the maps of input stage ``cam``.

    Among all tags, or with ``argmax`` "novel" among novel ones on unknown pixels; 255 where it is not above ``tau``
    times the highest in the image; base masks over them. With all classes hidden no mask plays a part.
    """
    argmax, tau = context.params["argmax"], context.params["tau"]
    images = WorkingImages(context)
    writer = PseudoLabelWriter(context, images.view)
    for image_id in images.ids:
        cam = read_cam(cam_path(context.inputs["cam"], image_id))
        unknown = images.base_mask(image_id) == IGNORE if argmax == "novel" else None
        writer.write(image_id, _highest(cam, images.novel, tau, unknown))
    return writer.summary()


def _highest(cam: Cam, novel: Sequence[int], tau: float, unknown: NDArray[np.bool_] | None) -> NDArray[np.integer]:
    """Return the class (H, W) of the highest activation; novel ones on ``unknown`` pixels, or anywhere among all."""
    response, keys = torch.from_numpy(cam.high_res), torch.from_numpy(cam.keys)
    if unknown is not None:
        chosen = torch.isin(keys, torch.tensor(novel))
        response, keys = response[chosen] * torch.from_numpy(unknown), keys[chosen]
    labels: NDArray[np.integer] = class_map(response, keys, tau).numpy()
    return labels
