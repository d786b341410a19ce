"""B and C: the activation maps of a classifier fine-tuned to every image, and the confident labels in them.

Neither looks at a mask: all classes are hidden, and one run serves every split and every training seed.
"""

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets import IGNORE
from benchmark.settings import from_json
from benchmark.stage import StageContext, StageInterrupted
from methods.rib.finetune import Finetuner, Stop, finetune
from methods.rib.settings import CamPart, FinetunePart, MiningPart
from methods.settings import MaskFormerSettings
from methods.wsss.cam import Cam, cam_path, load_classifier, read_cam
from methods.wsss.crf import resolved_backend
from methods.wsss.mining import MiningSettings, class_ids, irn_labels, mine
from methods.wsss.settings import CamSettings
from methods.wsss.working import WorkingImages


def activation_maps(context: StageContext) -> Mapping[str, Any]:
    """Stage function of B: writes the activation maps of all tags of every training image, base and novel.

    Each image is a file in ``context.scratch`` as soon as it is done: a stage that was stopped or killed goes on with
    the images that have none. Returns how the fine-tunings ended, and how often companions ran short.
    """
    p = context.params
    cam_part, tuning = from_json(CamPart, p["cam"]), from_json(FinetunePart, p["rib"])
    maskformer = from_json(MaskFormerSettings, p["maskformer"])
    network = load_classifier(context.inputs["backbone"], maskformer, cam_part.cam_last_stride, context.device)
    cam = CamSettings("irn", cam_part.cam_scales, cam_part.cam_flip, cam_part.cam_last_stride)
    images = WorkingImages(context)
    total, done = len(images.ids), 0

    def image_done() -> None:
        nonlocal done
        done += 1
        context.progress(done, total)
        if done < total and context.stop_requested:
            raise StageInterrupted

    counts = finetune(Finetuner(network, images, tuning, cam, p["seed"]), context.scratch, range(total), image_done)
    for image_id in images.ids:
        _put(cam_path(context.scratch, image_id), cam_path(context.out, image_id))
    return {name: counts.get(name, 0) for name in ("images", "updates", *_stops(), "sharing", "reused")}


def label_training_images(context: StageContext) -> Mapping[str, Any]:
    """Stage function of C: writes the confident labels of every training image, from the maps of input stage ``cam``.

    Background, where it is a class, has the id after the last. Returns how many images each implementation of the CRF
    had, among others: they agree on all but a few pixels.
    """
    part = from_json(MiningPart, context.params["rib"])
    images = WorkingImages(context)
    pixels = labelled = 0
    backends: Counter[str] = Counter()
    for done, image_id in enumerate(images.ids, start=1):
        cam = read_cam(cam_path(context.inputs["cam"], image_id))
        confident = confident_labels(images.image(image_id), cam, part, len(images.classes), context.device)
        labels = images.write(image_id, confident)
        pixels += labels.size
        labelled += int((labels != IGNORE).sum())
        backends[f"crf_{resolved_backend(part.crf_backend, *images.size(image_id))}"] += 1
        context.progress(done, len(images.ids))
    return {"images": len(images.ids), "labelled_share": labelled / max(1, pixels), **backends}


def confident_labels(
    image: NDArray[np.uint8], cam: Cam, part: MiningPart, background: int, device: str = "cpu"
) -> NDArray[np.uint8]:
    """Return the confident classes (H, W) of an image, 255 elsewhere; ``background`` is the id it has as a class."""
    keys = cam.keys.tolist()
    settings = MiningSettings(
        rule="irn",
        background="none" if part.background == "none" else "reject",
        foreground=part.confident,
        tau=part.confident,
        crf_scale=part.crf_scale,
        crf_iterations=part.crf_iterations,
        backend=part.crf_backend,
        device=device,
    )
    if part.background != "class":
        return mine(image, cam.high_res, keys, settings)
    thresholds = part.confident, part.confident_background
    local = irn_labels(image, cam.high_res, *thresholds, settings.crf, part.crf_backend, device)
    return class_ids(local, keys, background)


def _stops() -> list[str]:
    return [f"stop_{reason}" for reason in get_args(Stop)]


def _put(source: Path, target: Path) -> None:
    """Give a finished file its place in the result; it stays where it is too, because a kill may still come.

    Both folders lie in the store, where a second name costs nothing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)
