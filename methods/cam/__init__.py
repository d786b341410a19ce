"""CAM: class activation maps as they are, what every method of weak supervision starts from (CVPR 2016)."""

from collections.abc import Iterator, Mapping

from benchmark.registry import Cell
from benchmark.settings import to_json
from benchmark.stage import Stage
from methods.cam.settings import CamLabelSettings
from methods.planning.workloads import IMAGE
from methods.wsss import method
from methods.wsss.settings import CamSettings

LEVELS = {
    "cam": "highest class activation among all tags",
    "pseudo_labels": "pseudo labels: base masks over the highest class activation",
}


class Cam(method.LabelMapMethod):
    """The baseline without any refinement."""

    name = "cam"
    title = "CAM"
    summary = "class activation maps of a classifier of image tags, without any refinement"
    levels = LEVELS
    variants: Mapping[str, str] = method.variants("CAM", LEVELS)
    settings: Mapping[str, type] = {**method.SETTINGS, "cam": CamSettings, "cam_labels": CamLabelSettings}

    def label_maps(self, cell: Cell) -> Mapping[str, Stage]:
        """Return label maps without and with base masks."""
        cam = method.activation_maps(cell)
        return {
            "cam": method.highest_activation(cell, cam, "the classifier"),
            "pseudo_labels": _pseudo_labels(cell, cam),
        }

    def mistakes(self, cell: Cell) -> Iterator[str]:
        """Yield repeated scales."""
        yield from method.repeated_scales("cam.scales", cell.settings["cam"].scales)


def _pseudo_labels(cell: Cell, cam: Stage) -> Stage:
    """Return the labels to learn; they know the split, and no training seed."""
    return Stage(
        kind="pseudo_label",
        name=f"pseudo labels of CAM, {cell.split.name}",
        function="methods.wsss.label_maps:label_by_activation",
        version=1,
        params={**method.images(cell), "novel": list(cell.split.novel), **to_json(cell.settings["cam_labels"])},
        inputs={"cam": cam},
        cost=0.002 * cell.dataset.train,
        work=IMAGE,
    )


METHOD = Cam()
