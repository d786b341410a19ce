"""RETAB: region expansion by transferring affinity and boundary (BMVC 2022), adapted to pixel-level base masks.

S0 are class activation maps (``methods.wsss``); S1 to S4 are in ``methods.retab.train``, ``maps`` and ``propagation``.
Nothing released says how SimFormer's authors ran RETAB on images of stuff, so the adaptation is this benchmark's own
[retab 7c]: unknown pixels take the place of novel samples, a channel "known base" that of the
background. Deviations that have no switch: the backbone is the one that all methods share, in place of ResNet-38; AdamW
in place of SGD without momentum.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from benchmark.registry import Cell
from benchmark.stage import Change, Stage, Work
from methods import rib
from methods.planning import stages as plans
from methods.planning import workloads as work
from methods.planning.checks import STRIDES
from methods.retab.settings import OFFICIAL, AffinityPart, BoundaryPart, MiningPart, RetabSettings, WalkPart
from methods.wsss import method
from methods.wsss.settings import CamSettings, installed_backend, part

LEVELS = {
    "cam": "highest class activation among all tags",
    "confident": "mixed labels that the affinity network learns",
    "pseudo_labels": "pseudo labels after both stages of the propagation",
}


class Retab(method.LabelMapMethod):
    """Region expansion: base masks teach two networks where activation maps of novel tags may spread."""

    name = "retab"
    title = "RETAB"
    summary = "boundary and affinity networks taught by base masks spread class activation maps"
    levels = LEVELS
    variants: Mapping[str, str] = method.variants("RETAB", LEVELS)
    settings: Mapping[str, type] = {
        **method.SETTINGS,
        "cam": CamSettings,
        "rib": rib.RibSettings,
        "retab": RetabSettings,
    }
    official = OFFICIAL

    def label_maps(self, cell: Cell) -> Mapping[str, Stage]:
        """Return the stages of S0, S2 and S4, whose label maps these are."""
        of_rib = cell.settings["retab"].initial == "rib"
        cam = rib.activation_maps(cell) if of_rib else method.activation_maps(cell)
        labels = _labels(cell, cam, _training(cell, "boundary", BoundaryPart, method.classifier(cell)))
        affinity = _training(cell, "affinity", AffinityPart, {**method.classifier(cell), "labels": labels})
        return {
            "cam": method.highest_activation(cell, cam, "RIB" if of_rib else "the classifier"),
            "confident": labels,
            "pseudo_labels": _pseudo_labels(cell, cam, labels, affinity),
        }

    def mistakes(self, cell: Cell) -> Iterator[str]:
        """Yield what does not fit each other or the backbone."""
        s: RetabSettings = cell.settings["retab"]
        backbone = cell.settings["maskformer"].backbone
        strides = STRIDES.get(backbone, ())
        if len(s.widths) > len(strides):
            yield f"retab.widths has {len(s.widths)} taps: backbone {backbone!r} has {len(strides)} feature maps."
        elif s.stride not in strides[-len(s.widths) :]:
            tapped = ", ".join(map(str, strides[-len(s.widths) :]))
            yield f"retab.stride is {s.stride}: retab.widths taps the maps at strides {tapped}. Take one of them."
        if s.boundary_kernel and s.boundary_kernel % 2 == 0:
            yield f"retab.boundary_kernel is {s.boundary_kernel}: expected 0 (off) or an odd number of pixels."
        yield from method.repeated_scales("cam.scales", cell.settings["cam"].scales)
        if s.initial == "rib":
            yield from rib.METHOD.mistakes(cell)


def _labels(cell: Cell, cam: Stage, boundary: Stage) -> Stage:
    """Return S2, boundaries and mixed labels of the training images."""
    settings: RetabSettings = cell.settings["retab"]
    runs = settings.mining == "crf"
    backend = installed_backend(settings.mining_crf_backend, settings.mining_crf_scale, runs=runs)
    settings = replace(settings, mining_crf_backend=backend)
    unused: Change = {"retab": {"mining_crf_backend": "torch"}} if not runs else {}
    return Stage(
        kind="label",
        name=f"boundaries and mixed labels of RETAB, {_which(cell)}",
        function="methods.retab.maps:label_training_images",
        version=1,
        params=method.images(cell) | _params(cell, MiningPart, settings),
        inputs={"cam": cam, "boundary": boundary},
        cost=_image_cost(cell),
        work=Work(images=1, speed_neutral=unused),
    )


def _pseudo_labels(cell: Cell, cam: Stage, labels: Stage, affinity: Stage) -> Stage:
    """Return S4."""
    return Stage(
        kind="pseudo_label",
        name=f"pseudo labels of RETAB, {_which(cell)}",
        function="methods.retab.propagation:propagate",
        version=1,
        params=method.images(cell) | _params(cell, WalkPart),
        inputs={"cam": cam, "labels": labels, "affinity": affinity},
        cost=_image_cost(cell),
        work=work.IMAGE,
    )


def _training(cell: Cell, what: str, fields: type, inputs: Mapping[str, Stage]) -> Stage:
    """Return S1 or S3."""
    settings: RetabSettings = cell.settings["retab"]
    iterations = settings.boundary_iterations if what == "boundary" else settings.affinity_iterations
    return Stage(
        kind="train",
        name=f"{what} network of RETAB, {_which(cell)}",
        function=f"methods.retab.train:train_{what}",
        version=1,
        params=plans.data(cell) | _params(cell, fields) | {"seed": cell.seed, "input": plans.training_input(cell)},
        inputs=inputs,
        cost=iterations * settings.seconds_per_iteration,
        work=work.training("retab", settings.batch, f"{what}_iterations"),
    )


def _params(cell: Cell, fields: type, settings: RetabSettings | None = None) -> dict[str, Any]:
    """Return what every stage has beside the images: the hidden classes, the backbone and its part of the settings."""
    return {
        **method.backbone(cell),
        "novel": list(cell.split.novel),
        "retab": part(fields, settings or cell.settings["retab"]),
    }


def _which(cell: Cell) -> str:
    return f"{cell.split.name}, seed {cell.seed}"


def _image_cost(cell: Cell) -> float:
    settings: RetabSettings = cell.settings["retab"]
    return cell.dataset.train * settings.seconds_per_image


METHOD = Retab()
