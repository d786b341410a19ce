"""RIB: reducing the information bottleneck of a classifier, image by image, for larger class activation maps.

NeurIPS 2021, for data where every pixel has a class. Before re-training there are stages B to F of
``methods.rib.maps``, ``edges`` and ``propagation``; A is the pre-training of the backbone that all methods share. RIB
sees tags alone: only F, which lays base masks over its labels, knows the split. Nothing released says how SimFormer's
authors ran it; what is mended or proposed here is a switch in ``methods.rib.settings`` (specification rib, sections 4
and 6). Deviations without one: the shared backbone, pre-training and augmentation, AdamW for the edges, MaskFormer in
place of DeepLab.
"""

from collections.abc import Mapping
from typing import Any

from benchmark.errors import BenchmarkError, unknown
from benchmark.registry import Cell
from benchmark.stage import Stage
from methods import plans
from methods.limits import STRIDES
from methods.rib.settings import (
    OFFICIAL,
    CamPart,
    EdgePart,
    FinetunePart,
    MergePart,
    MiningPart,
    RibSettings,
    WalkPart,
    part,
)
from methods.settings import to_json

BACKBONE_FIELDS = ("backbone", "backbone_width")  # its weights come from the input stage
SEED = 0  # like pre-training: the pseudo labels serve every training seed


class Rib:
    """RIB's pseudo labels are never the end: MaskFormer is always re-trained on them, so RIB is RIB*."""

    name = "rib"
    title = "RIB"
    summary = "activation maps of a classifier fine-tuned to each image, spread by a random walk; always re-trained"
    variants: Mapping[str, str] = {
        "": "the same as retrained: RIB itself makes label maps of training images, and a network must learn them",
        "retrained": "RIB*: MaskFormer re-trained with base masks over RIB's pseudo labels",
    }
    settings: Mapping[str, type] = {**plans.SHARED_SETTINGS, "rib": RibSettings}

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:  # noqa: ARG002
        """Return dotted settings: ``paper`` is the proposal with bugs mended, ``official`` the released code."""
        if name == "paper":
            return {}
        if name == "official":
            return OFFICIAL
        raise unknown("preset", name, ("paper", "official"))

    def plan(self, cell: Cell) -> Stage:
        """Return the evaluation of MaskFormer re-trained on RIB's pseudo labels, for either variant.

        Raises:
            BenchmarkError: an unknown variant, or settings that do not fit each other.
        """
        if cell.variant not in self.variants:
            raise unknown("variant of rib", cell.variant, self.variants)
        _check(cell)
        masks = _merged(cell)
        return plans.evaluate(cell, plans.retrain(cell, masks, self.title), f"{self.title}*, {cell.split.name}")


def _cam(cell: Cell) -> Stage:
    """Return B."""
    settings: RibSettings = cell.settings["rib"]
    return Stage(
        kind="cam",
        name=f"activation maps of RIB, {cell.dataset.name}",
        function="methods.rib.maps:activation_maps",
        version=1,
        params=_params(cell, FinetunePart) | _backbone(cell) | {"cam": part(CamPart, settings), "seed": SEED},
        inputs=plans.pretrain(cell),
        cost=cell.dataset.train * settings.seconds_per_image,
    )


def _labels(cell: Cell, cam: Stage) -> Stage:
    """Return C."""
    return Stage(
        kind="label",
        name=f"confident labels of RIB, {cell.dataset.name}",
        function="methods.rib.maps:label_training_images",
        version=1,
        params=_params(cell, MiningPart),
        inputs={"cam": cam},
        cost=_light(cell),
    )


def _edges(cell: Cell, labels: Stage) -> Stage:
    """Return D."""
    settings: RibSettings = cell.settings["rib"]
    return Stage(
        kind="train",
        name=f"edge network of RIB, {cell.dataset.name}",
        function="methods.rib.edges:train_edges",
        version=1,
        params=_params(cell, EdgePart) | _backbone(cell) | {"seed": SEED, "input": plans.training_input(cell)},
        inputs={**plans.pretrain(cell), "labels": labels},
        cost=settings.edge_iterations * settings.seconds_per_iteration,
    )


def _walk(cell: Cell) -> Stage:
    """Return E on top of all others before it."""
    cam = _cam(cell)
    return Stage(
        kind="walk",
        name=f"labels of RIB from tags alone, {cell.dataset.name}",
        function="methods.rib.propagation:propagate",
        version=1,
        params=_params(cell, WalkPart) | _backbone(cell),
        inputs={**plans.pretrain(cell), "cam": cam, "edges": _edges(cell, _labels(cell, cam))},
        cost=_light(cell),
    )


def _merged(cell: Cell) -> Stage:
    """Return F, the first that knows the split; no training seed matters yet."""
    return Stage(
        kind="pseudo_label",
        name=f"pseudo labels of RIB, {cell.split.name}",
        function="methods.rib.propagation:merge_masks",
        version=1,
        params=_params(cell, MergePart) | {"novel": list(cell.split.novel)},
        inputs={"walk": _walk(cell)},
        cost=_light(cell),
    )


def _params(cell: Cell, fields: type) -> dict[str, Any]:
    """Return what every stage has: the images, all classes as hidden ones, and its part of the settings."""
    hidden = list(range(len(cell.dataset.classes)))
    return {**plans.data(cell), "novel": hidden, "rib": part(fields, cell.settings["rib"])}


def _backbone(cell: Cell) -> dict[str, Any]:
    maskformer = to_json(cell.settings["maskformer"])
    return {"maskformer": {name: maskformer[name] for name in BACKBONE_FIELDS}}


def _light(cell: Cell) -> float:
    """Return the CPU seconds of a step over all images that trains nothing: a tenth of fine-tuning, or less."""
    settings: RibSettings = cell.settings["rib"]
    return 0.1 * cell.dataset.train * settings.seconds_per_image


def _check(cell: Cell) -> None:
    """Raise BenchmarkError, with every mistake, for settings that do not fit each other or the backbone."""
    s: RibSettings = cell.settings["rib"]
    backbone = cell.settings["maskformer"].backbone
    maps = len(STRIDES.get(backbone, ()))
    errors = []
    if not cell.settings["pretrain"].iterations:
        errors.append(
            "pretrain.iterations is 0: RIB fine-tunes the classifier that pre-training the backbone on image tags "
            "leaves. Set it above 0."
        )
    if maps and s.trained_stages >= maps:
        errors.append(
            f"rib.trained_stages is {s.trained_stages}: backbone {backbone!r} has {maps} stages, of which at least the "
            f"first stays as it is. Take 1 to {maps - 1}."
        )
    if len(set(s.cam_scales)) < len(s.cam_scales):
        errors.append(f"rib.cam_scales {list(s.cam_scales)} names a scale twice.")
    if not set(s.cam_scales) - set(s.unpooled_scales):
        errors.append(
            f"rib.cam_scales {list(s.cam_scales)} are all in rib.unpooled_scales, which give no logits: nothing could "
            f"be learnt."
        )
    if s.explode_rule != "off" and 1.0 not in s.cam_scales:
        errors.append(
            f"rib.explode_rule {s.explode_rule!r} looks at scale 1, which rib.cam_scales {list(s.cam_scales)} lacks. "
            f"Add it, or set the rule to 'off'."
        )
    if s.companion_long_side[0] > s.companion_long_side[1]:
        errors.append(f"rib.companion_long_side {list(s.companion_long_side)}: expected the smaller side first.")
    if s.edge_width % s.edge_groups:
        errors.append(f"rib.edge_width is {s.edge_width}: expected a multiple of rib.edge_groups ({s.edge_groups}).")
    if s.background == "class" and s.confident_background > s.confident:
        errors.append(
            f"rib.confident_background is {s.confident_background}: expected at most rib.confident ({s.confident})."
        )
    if errors:
        raise BenchmarkError("\n".join(errors))


METHOD = Rib()
