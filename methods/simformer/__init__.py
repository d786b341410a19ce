"""SimFormer: weak-shot segmentation by proposal-level and pixel-level similarity transfer (NeurIPS 2022)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmark.errors import unknown
from benchmark.registry import Cell
from benchmark.settings import to_json
from benchmark.stage import Stage
from methods.planning import stages as plans
from methods.planning.checks import check_pairs, check_points
from methods.settings import SimFormerSettings, TrainingSettings

PAIRS = {"": "cross", "retrained": "cross", "pseudo_labels": "cross", "self_pair": "self", "basic": "none"}
COCO, ADE = "coco-stuff-10k", "ade20k"
SIMNET = "SimNet trains its batch norms. Set it to 0; raise training.emulate_world_size for smaller shares."

# What the released code does where the text says otherwise, or says nothing [10].
OFFICIAL: Mapping[str, Any] = {
    "input.presence": "crop",
    "maskformer.column_order": "official",
    "simformer.student_pairing": "same_image",
    "simformer.pair_sampler": "official",
}
OFFICIAL_DISTILLATION: Mapping[tuple[str, str], Mapping[str, Any]] = {
    (COCO, "S1"): {"simformer.distillation_weight": 0.0, "simformer.distillation": "ce"},
    (COCO, "S3"): {"simformer.distillation": "ce"},
}
BY_DATASET: Mapping[str, Mapping[str, Any]] = {
    ADE: {"simformer.complementary_weight": 0.2, "simformer.distillation_weight": 0.5},
}


class SimFormer:
    """Plain SimFormer, the two ablations of supplementary Table 2, and the re-trained SimFormer*."""

    name = "simformer"
    title = "SimFormer"
    summary = "dual similarity transfer on MaskFormer: proposal masks and pixel pairs of base classes teach novel ones"
    variants: Mapping[str, str] = {
        "": "full model, pixel pairs across two images (Cross-Pair)",
        "self_pair": "pixel pairs within one image",
        "basic": "no pixel-pixel similarity: proposals, novel class labels and the complementary loss",
        "retrained": "SimFormer*: a fresh network re-trained on SimFormer's pseudo labels",
        "pseudo_labels": "SimFormer's pseudo labels, against the ground truth of the training images",
    }
    settings: Mapping[str, type] = {**plans.RETRAIN_SETTINGS, "simformer": SimFormerSettings}

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:
        """Return dotted settings: ``paper`` is the text with its bugs mended, ``official`` the released code."""
        common = BY_DATASET.get(dataset, {})
        if name == "paper":
            return common
        if name == "official":
            return {**common, **OFFICIAL, **OFFICIAL_DISTILLATION.get((dataset, split), {})}
        raise unknown("preset", name, ("paper", "official"))

    def plan(self, cell: Cell) -> Stage:
        """Return the evaluation of the variant's last network."""
        if cell.variant not in PAIRS:
            raise unknown("variant of simformer", cell.variant, PAIRS)
        model = self._train(cell)
        if cell.variant not in {"retrained", "pseudo_labels"}:
            return plans.evaluate(cell, model, _title(cell))
        masks = plans.pseudo_labels(cell, model, self.title)
        if cell.variant == "pseudo_labels":
            return plans.assess(cell, masks)
        return plans.evaluate(cell, plans.retrain(cell, masks, self.title), f"{self.title}*, {cell.split.name}")

    def _train(self, cell: Cell) -> Stage:
        pairs = PAIRS[cell.variant]
        settings: SimFormerSettings = cell.settings["simformer"]
        training: TrainingSettings = cell.settings["training"]
        check_pairs(training.batch, training.emulate_world_size)
        if pairs != "none":
            check_points(settings.points, cell.settings["input"].crop)
        per_iteration = settings.seconds_per_iteration * (settings.points / 100) ** 2
        extra = training.iterations * per_iteration
        if pairs == "none":
            # Fields without effect take their defaults, so that an ablation over J shares one Basic.
            settings = replace(
                SimFormerSettings(similarity_weight=0.0, distillation_weight=0.0),
                complementary_weight=settings.complementary_weight,
                theta=settings.theta,
                basic_batch=settings.basic_batch,
                pair_sampler=settings.pair_sampler,
            )
            extra = 0.0
        return Stage(
            kind="train",
            name=f"{_title(cell)}, seed {cell.seed}",
            function="methods.simformer.train:train_simformer",
            version=1,
            params={
                **plans.network_params(cell, "" if pairs == "none" else SIMNET),
                "novel": list(cell.split.novel),
                "presence": cell.settings["input"].presence,
                "pairs": pairs,
                "simformer": to_json(settings),
            },
            inputs=plans.pretrain(cell),
            cost=plans.training_cost(cell) + extra,
            hints=plans.hints(cell),
            shares=training.emulate_world_size,
            work=plans.training_work(cell),
        )


def _title(cell: Cell) -> str:
    """Return the network's name for people: the pairs, J where it matters, the split."""
    pairs = PAIRS[cell.variant]
    kind = "Basic" if pairs == "none" else f"{pairs}-pair, J = {cell.settings['simformer'].points}"
    return f"SimFormer ({kind}), {cell.split.name}"


METHOD = SimFormer()
