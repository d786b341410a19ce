"""What methods have in common that make label maps of the training images: nothing here imports torch."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.errors import BenchmarkError, unknown
from benchmark.registry import Cell
from benchmark.settings import to_json
from benchmark.stage import Stage, Work
from methods.planning import stages as plans
from methods.planning.workloads import IMAGE
from methods.wsss.settings import CamSettings, ClassifierSettings, LabellingSettings

BACKBONE_FIELDS = ("backbone", "backbone_width")  # its weights come from an input stage
PSEUDO_LABELS = "pseudo_labels"
SETTINGS: Mapping[str, type] = {
    **plans.RETRAIN_SETTINGS,
    "classifier": ClassifierSettings,
    "labelling": LabellingSettings,
}


class LabelMapMethod(ABC):
    """A method of several stages whose last label maps a network then learns, together with base masks.

    Variants are ``""`` (DeepLab-LargeFOV learns them, as in publications on weak supervision), ``retrained`` (the
    network of section ``retrain``, MaskFormer, as for SimFormer*), and one for each entry of ``levels``: these label
    maps themselves, against the ground truth of the training images.

    Attributes:
        levels: variant -> what its label maps are, in the order in which they are made; the last is ``pseudo_labels``.
        official: what preset ``official`` sets, dotted.
    """

    name: str
    title: str
    summary: str
    variants: Mapping[str, str]
    settings: Mapping[str, type]
    levels: Mapping[str, str]
    official: Mapping[str, Any] = {}

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:  # noqa: ARG002
        """Return dotted settings: ``paper`` has bugs mended, ``official`` is the released code."""
        if name == "paper":
            return {}
        if name == "official":
            return self.official
        raise unknown("preset", name, ("paper", "official"))

    def plan(self, cell: Cell) -> Stage:
        """Return the evaluation of a network that has learnt the pseudo labels, or of the label maps of one level.

        Raises:
            BenchmarkError: an unknown variant, or settings that do not fit each other; every mistake at once.
        """
        if cell.variant not in self.variants:
            raise unknown(f"variant of {self.name}", cell.variant, self.variants)
        mistakes = [*_without_classifier(cell, self.title), *self.mistakes(cell)]
        if mistakes:
            raise BenchmarkError("\n".join(mistakes))
        maps = self.label_maps(cell)
        if cell.variant in maps:
            return plans.assess(cell, maps[cell.variant])
        model = plans.retrain(cell, maps[PSEUDO_LABELS], self.title, None if cell.variant else "largefov")
        return plans.evaluate(cell, model, f"{self.title}{'*' if cell.variant else ''}, {cell.split.name}")

    @abstractmethod
    def label_maps(self, cell: Cell) -> Mapping[str, Stage]:
        """Return for each of ``levels`` the stage that writes its label maps."""

    def mistakes(self, cell: Cell) -> Iterator[str]:  # noqa: ARG002
        """Yield every mistake in settings that have to fit each other."""
        yield from ()


def variants(title: str, levels: Mapping[str, str]) -> Mapping[str, str]:
    """Return variant -> one line, for the attribute ``variants`` of a method."""
    return {
        "": f"{title}: DeepLab-LargeFOV trained with base masks over {title}'s pseudo labels",
        "retrained": f"{title}*: MaskFormer re-trained with base masks over {title}'s pseudo labels",
        **{level: f"{words}, against the ground truth of the training images" for level, words in levels.items()},
    }


def classifier(cell: Cell) -> dict[str, Stage]:
    """Return the input stage ``backbone`` that also holds a classifier: the pre-training, or else one of its own."""
    own: ClassifierSettings = cell.settings["classifier"]
    return plans.pretrain(cell) or {"backbone": plans.tag_classifier(cell, own, "classifier of image tags")}


def activation_maps(cell: Cell) -> Stage:
    """Return class activation maps of all tags. They see no mask: neither split nor seed is in their key."""
    settings: CamSettings = cell.settings["cam"]
    return Stage(
        kind="cam",
        name=f"class activation maps of {cell.dataset.name}",
        function="methods.wsss.label_maps:activation_maps",
        version=1,
        params={**images(cell), **backbone(cell), "novel": plans.every_class(cell), "cam": to_json(settings)},
        inputs=classifier(cell),
        cost=cell.dataset.train * settings.seconds_per_image,
        work=Work(images=1, shortened={"cam": {"scales": [1.0], "flip": False}}),
    )


def highest_activation(cell: Cell, cam: Stage, title: str) -> Stage:
    """Return label maps of the highest activation among all tags of an image, without any base mask."""
    return Stage(
        kind="label",
        name=f"highest class activation of {title}, {cell.dataset.name}",
        function="methods.wsss.label_maps:label_by_activation",
        version=1,
        params={**images(cell), "novel": plans.every_class(cell), "argmax": "all", "tau": 0.0},
        inputs={"cam": cam},
        cost=0.001 * cell.dataset.train,
        work=IMAGE,
    )


def images(cell: Cell) -> dict[str, Any]:
    """Return the parameters that say which images are labelled, and at which size."""
    return {**plans.data(cell), "labelling": to_json(cell.settings["labelling"])}


def backbone(cell: Cell) -> dict[str, Any]:
    """Return the parameters that say what the backbone is."""
    return plans.described_network(cell, BACKBONE_FIELDS)


def repeated_scales(name: str, scales: tuple[float, ...]) -> Iterator[str]:
    """Yield a mistake where a scale is named twice."""
    if len(set(scales)) < len(scales):
        yield f"{name} {list(scales)} names a scale twice."


def _without_classifier(cell: Cell, title: str) -> Iterator[str]:
    if not cell.settings["pretrain"].iterations and not cell.settings["classifier"].iterations:
        yield (
            f"pretrain.iterations and classifier.iterations are 0: {title} starts from class activation maps, which "
            f"need a classifier of image tags. Set one of them above 0."
        )
