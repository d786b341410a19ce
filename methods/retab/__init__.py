"""RETAB: region expansion by transferring affinity and boundary (BMVC 2022), adapted to pixel-level base masks.

The five stages before re-training are S0 to S4 of ``methods.retab.maps``, ``train`` and ``propagation``. Nothing
released says how SimFormer's authors ran RETAB on images of stuff, so the adaptation is this benchmark's own
(specification retab, section 7c): unknown pixels take the place of novel samples, a channel "known base" that of the
background. Deviations that have no switch: the backbone is the one that all methods share, in place of ResNet-38; AdamW
in place of SGD without momentum; plain class activation maps, not RIB's, are the initial response.
"""

from collections.abc import Mapping
from typing import Any

from benchmark.errors import BenchmarkError, unknown
from benchmark.registry import Cell
from benchmark.stage import Stage
from methods import plans
from methods.limits import STRIDES
from methods.retab.settings import (
    OFFICIAL,
    AffinityPart,
    BoundaryPart,
    CamPart,
    MiningPart,
    RetabSettings,
    WalkPart,
    part,
)
from methods.settings import to_json

BACKBONE_FIELDS = ("backbone", "backbone_width")  # its weights come from the input stage


class Retab:
    """RETAB's pseudo labels are never the end: MaskFormer is always re-trained on them, so RETAB is RETAB*."""

    name = "retab"
    title = "RETAB"
    summary = "boundary and affinity networks taught by base masks spread class activation maps; always re-trained"
    variants: Mapping[str, str] = {
        "": "the same as retrained: RETAB itself makes label maps of training images, and a network must learn them",
        "retrained": "RETAB*: MaskFormer re-trained on RETAB's pseudo labels",
    }
    settings: Mapping[str, type] = {**plans.SHARED_SETTINGS, "retab": RetabSettings}

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:  # noqa: ARG002
        """Return dotted settings: ``paper`` is the proposal with bugs mended, ``official`` the released propagation."""
        if name == "paper":
            return {}
        if name == "official":
            return OFFICIAL
        raise unknown("preset", name, ("paper", "official"))

    def plan(self, cell: Cell) -> Stage:
        """Return the evaluation of MaskFormer re-trained on RETAB's pseudo labels, for either variant.

        Raises:
            BenchmarkError: an unknown variant, or settings that do not fit each other.
        """
        if cell.variant not in self.variants:
            raise unknown("variant of retab", cell.variant, self.variants)
        _check(cell)
        masks = _pseudo_labels(cell)
        return plans.evaluate(cell, plans.retrain(cell, masks, self.title), f"{self.title}*, {cell.split.name}")


def _cam(cell: Cell) -> Stage:
    """Return S0. It sees no mask: all classes are hidden, and neither split nor seed is in its key."""
    return Stage(
        kind="cam",
        name=f"class activation maps of {cell.dataset.name}",
        function="methods.retab.maps:activation_maps",
        version=1,
        params=_params(cell, CamPart) | {"novel": list(range(len(cell.dataset.classes)))},
        inputs=plans.pretrain(cell),
        cost=_image_cost(cell),
    )


def _boundary(cell: Cell) -> Stage:
    """Return S1."""
    iterations = cell.settings["retab"].boundary_iterations
    return _training(cell, "boundary", BoundaryPart, iterations, plans.pretrain(cell))


def _labels(cell: Cell, cam: Stage, boundary: Stage) -> Stage:
    """Return S2, boundaries and mixed labels of the training images."""
    return Stage(
        kind="label",
        name=f"boundaries and mixed labels of RETAB, {_which(cell)}",
        function="methods.retab.maps:label_training_images",
        version=1,
        params=_params(cell, MiningPart),
        inputs={"cam": cam, "boundary": boundary},
        cost=_image_cost(cell),
    )


def _affinity(cell: Cell, labels: Stage) -> Stage:
    """Return S3."""
    iterations = cell.settings["retab"].affinity_iterations
    return _training(cell, "affinity", AffinityPart, iterations, {**plans.pretrain(cell), "labels": labels})


def _pseudo_labels(cell: Cell) -> Stage:
    """Return S4 on top of all others."""
    cam = _cam(cell)
    labels = _labels(cell, cam, _boundary(cell))
    return Stage(
        kind="pseudo_label",
        name=f"pseudo labels of RETAB, {_which(cell)}",
        function="methods.retab.propagation:propagate",
        version=1,
        params=_params(cell, WalkPart),
        inputs={"cam": cam, "labels": labels, "affinity": _affinity(cell, labels)},
        cost=_image_cost(cell),
    )


def _training(cell: Cell, what: str, fields: type, iterations: int, inputs: Mapping[str, Stage]) -> Stage:
    return Stage(
        kind="train",
        name=f"{what} network of RETAB, {_which(cell)}",
        function=f"methods.retab.train:train_{what}",
        version=1,
        params=_params(cell, fields) | {"seed": cell.seed, "input": plans.training_input(cell)},
        inputs=inputs,
        cost=iterations * cell.settings["retab"].seconds_per_iteration,
    )


def _params(cell: Cell, fields: type) -> dict[str, Any]:
    """Return what every stage has: the images, the hidden classes, the backbone and its part of the settings."""
    maskformer = to_json(cell.settings["maskformer"])
    return {
        **plans.data(cell),
        "novel": list(cell.split.novel),
        "maskformer": {name: maskformer[name] for name in BACKBONE_FIELDS},
        "retab": part(fields, cell.settings["retab"]),
    }


def _which(cell: Cell) -> str:
    return f"{cell.split.name}, seed {cell.seed}"


def _image_cost(cell: Cell) -> float:
    settings: RetabSettings = cell.settings["retab"]
    return cell.dataset.train * settings.seconds_per_image


def _check(cell: Cell) -> None:
    """Raise BenchmarkError, with every mistake, for settings that do not fit each other or the backbone."""
    s: RetabSettings = cell.settings["retab"]
    backbone = cell.settings["maskformer"].backbone
    strides = STRIDES.get(backbone, ())
    errors = []
    if not cell.settings["pretrain"].iterations:
        errors.append(
            "pretrain.iterations is 0: RETAB starts from class activation maps, which need the classifier that "
            "pre-training the backbone on image tags leaves. Set it above 0."
        )
    if len(s.widths) > len(strides):
        errors.append(f"retab.widths has {len(s.widths)} taps: backbone {backbone!r} has {len(strides)} feature maps.")
    elif s.stride not in strides[-len(s.widths) :]:
        tapped = ", ".join(map(str, strides[-len(s.widths) :]))
        errors.append(f"retab.stride is {s.stride}: retab.widths taps the maps at strides {tapped}. Take one of them.")
    if s.boundary_kernel and s.boundary_kernel % 2 == 0:
        errors.append(f"retab.boundary_kernel is {s.boundary_kernel}: expected 0 (off) or an odd number of pixels.")
    if len(set(s.cam_scales)) < len(s.cam_scales):
        errors.append(f"retab.cam_scales {list(s.cam_scales)} names a scale twice.")
    if errors:
        raise BenchmarkError("\n".join(errors))


METHOD = Retab()
