"""RIB: reducing the information bottleneck of a classifier, image by image, for larger class activation maps.

NeurIPS 2021, for data where every pixel has a class. Before re-training there are stages B to F of
``methods.rib.maps``, ``edges`` and ``propagation``; A is the classifier that all methods share. RIB sees tags alone:
only F, which lays base masks over its labels, knows the split. Nothing released says how SimFormer's authors ran it;
what is mended or proposed here is a switch in ``methods.rib.settings`` [rib 4, 6].
Deviations without one: the shared backbone, pre-training and augmentation, AdamW for the edges.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from benchmark.datasets import IGNORE
from benchmark.registry import Cell
from benchmark.stage import Stage, Work
from methods.planning import stages as plans
from methods.planning import workloads as work
from methods.planning.checks import STRIDES
from methods.rib.settings import (
    OFFICIAL,
    CamPart,
    EdgePart,
    FinetunePart,
    MergePart,
    MiningPart,
    RibSettings,
    WalkPart,
)
from methods.wsss import method
from methods.wsss.settings import installed_backend, part

__all__ = ["METHOD", "RibSettings", "activation_maps"]

SEED = 0  # like pre-training: the pseudo labels serve every training seed
LEVELS = {
    "cam": "highest class activation after fine-tuning, among all tags",
    "confident": "confident labels that the edge network learns",
    "refined": "labels from tags alone after the random walk",
    "pseudo_labels": "pseudo labels: base masks over the refined labels",
}


class Rib(method.LabelMapMethod):
    """The baseline that knows tags alone until base masks are laid over its labels."""

    name = "rib"
    title = "RIB"
    summary = "activation maps of a classifier fine-tuned to each image, spread by a random walk"
    levels = LEVELS
    variants: Mapping[str, str] = method.variants("RIB", LEVELS)
    settings: Mapping[str, type] = {**method.SETTINGS, "rib": RibSettings}
    official = OFFICIAL

    def label_maps(self, cell: Cell) -> Mapping[str, Stage]:
        """Return the stages of B, C, E and F, whose label maps these are."""
        cam = activation_maps(cell)
        labels = _labels(cell, cam)
        walk = _walk(cell, cam, _edges(cell, labels))
        return {
            "cam": method.highest_activation(cell, cam, "RIB"),
            "confident": labels,
            "refined": walk,
            "pseudo_labels": _merged(cell, walk),
        }

    def mistakes(self, cell: Cell) -> Iterator[str]:
        """Yield what does not fit each other or the backbone."""
        s: RibSettings = cell.settings["rib"]
        backbone = cell.settings["maskformer"].backbone
        maps = len(STRIDES.get(backbone, ()))
        if maps and s.trained_stages >= maps:
            yield (
                f"rib.trained_stages is {s.trained_stages}: backbone {backbone!r} has {maps} stages, of which at least "
                f"the first stays as it is. Take 1 to {maps - 1}."
            )
        yield from method.repeated_scales("rib.cam_scales", s.cam_scales)
        if not set(s.cam_scales) - set(s.unpooled_scales):
            yield (
                f"rib.cam_scales {list(s.cam_scales)} are all in rib.unpooled_scales, which give no logits: nothing "
                f"could be learnt."
            )
        if s.explode_rule != "off" and 1.0 not in s.cam_scales:
            yield (
                f"rib.explode_rule {s.explode_rule!r} looks at scale 1, which rib.cam_scales {list(s.cam_scales)} "
                f"lacks. Add it, or set the rule to 'off'."
            )
        if s.companion_long_side[0] > s.companion_long_side[1]:
            yield f"rib.companion_long_side {list(s.companion_long_side)}: expected the smaller side first."
        if s.edge_width % s.edge_groups:
            yield f"rib.edge_width is {s.edge_width}: expected a multiple of rib.edge_groups ({s.edge_groups})."
        if s.background == "class" and len(cell.dataset.classes) == IGNORE:
            yield (
                f"rib.background is 'class', but {cell.dataset.name} has {IGNORE} classes and leaves no id for one "
                f"more. Take 'reject' or 'none'."
            )
        if s.background == "class" and s.confident_background > s.confident:
            yield (
                f"rib.confident_background is {s.confident_background}: expected at most rib.confident ({s.confident})."
            )


def activation_maps(cell: Cell) -> Stage:
    """Return B."""
    settings: RibSettings = cell.settings["rib"]
    params = {"cam": part(CamPart, settings), "seed": SEED}
    return Stage(
        kind="cam",
        name=f"activation maps of RIB, {cell.dataset.name}",
        function="methods.rib.maps:activation_maps",
        version=1,
        params=method.images(cell) | _params(cell, FinetunePart) | method.backbone(cell) | params,
        inputs=method.classifier(cell),
        cost=cell.dataset.train * settings.seconds_per_image,
        work=Work(images=1, shortened={"rib": {"steps": 1}, "cam": {"cam_scales": [1.0], "cam_flip": False}}),
    )


def _labels(cell: Cell, cam: Stage) -> Stage:
    """Return C. The factors are rough: pydensecrf is hardly to be noticed, the bilateral grid is slowest."""
    settings: RibSettings = cell.settings["rib"]
    settings = replace(settings, crf_backend=installed_backend(settings.crf_backend, settings.crf_scale))
    return Stage(
        kind="label",
        name=f"confident labels of RIB, {cell.dataset.name}",
        function="methods.rib.maps:label_training_images",
        version=1,
        params=method.images(cell) | _params(cell, MiningPart, settings),
        inputs={"cam": cam},
        cost=_light(cell) * {"pydensecrf": 1, "lattice": 3}.get(settings.crf_backend, 30),
        work=Work(images=1, shortened={"rib": {"crf_iterations": 1}}),
    )


def _edges(cell: Cell, labels: Stage) -> Stage:
    """Return D."""
    settings: RibSettings = cell.settings["rib"]
    return Stage(
        kind="train",
        name=f"edge network of RIB, {cell.dataset.name}",
        function="methods.rib.edges:train_edges",
        version=1,
        params={
            **plans.data(cell),
            **_params(cell, EdgePart),
            **method.backbone(cell),
            "seed": SEED,
            "input": plans.training_input(cell),
        },
        inputs={**method.classifier(cell), "labels": labels},
        cost=settings.edge_iterations * settings.seconds_per_iteration,
        work=work.training("rib", settings.edge_batch, "edge_iterations"),
    )


def _walk(cell: Cell, cam: Stage, edges: Stage) -> Stage:
    """Return E."""
    return Stage(
        kind="walk",
        name=f"labels of RIB from tags alone, {cell.dataset.name}",
        function="methods.rib.propagation:propagate",
        version=1,
        params=method.images(cell) | _params(cell, WalkPart) | method.backbone(cell),
        inputs={**method.classifier(cell), "cam": cam, "edges": edges},
        cost=_light(cell),
        work=work.IMAGE,
    )


def _merged(cell: Cell, walk: Stage) -> Stage:
    """Return F, the first that knows the split; no training seed matters yet."""
    return Stage(
        kind="pseudo_label",
        name=f"pseudo labels of RIB, {cell.split.name}",
        function="methods.rib.propagation:merge_masks",
        version=1,
        params=method.images(cell) | _params(cell, MergePart) | {"novel": list(cell.split.novel)},
        inputs={"walk": walk},
        cost=_light(cell),
        work=work.IMAGE,
    )


def _params(cell: Cell, fields: type, settings: RibSettings | None = None) -> dict[str, Any]:
    """Return what every stage has beside the images: all classes as hidden ones, and its part of the settings."""
    chosen = part(fields, settings or cell.settings["rib"])
    return {"novel": plans.every_class(cell), "rib": chosen}


def _light(cell: Cell) -> float:
    """Return the CPU seconds of a step over all images that trains nothing: a tenth of fine-tuning, or less."""
    settings: RibSettings = cell.settings["rib"]
    return 0.1 * cell.dataset.train * settings.seconds_per_image


METHOD = Rib()
