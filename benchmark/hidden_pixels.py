"""The rules by which novel pixels stay hidden from trainings: never handed out by accident, which is no sandbox.

A training stage gets a ``TrainingView``, in which the pixels of its parameter ``novel`` are blanked. That ``novel`` has
all novel classes of the split, and that no stage with full ground truth leads to a training, is seen from the stages of
a plan, before anything is computed. Code that opens the files of a data set itself is not kept from it, nor is an
evaluation from training, or a method from comparing the classes of many overlapping crops.
"""

from collections.abc import Iterator

from benchmark.datasets.base import Split
from benchmark.errors import BenchmarkError
from benchmark.stage import Stage, closure

RULE = (
    "No training behind a row that is not a bound was given a pixel of its split's novel classes, nor the result of a "
    "stage that was given one."
)


def check_hidden(evaluation: Stage, split: Split, method: str, where: str, *, bound: bool) -> None:
    """Raise BenchmarkError for stages that hand novel pixels to a training, unless the row is a ``bound``.

    Args:
        evaluation: the last stage of a cell, the only one that may have access to full ground truth.
        split: of the cell.
        method: its name.
        where: table, row and column.
        bound: whether the row is meant to learn from more than it may.
    """
    if not bound and (reasons := list(_breaches(evaluation, split))):
        raise BenchmarkError(
            f"{where}: method {method!r} shows novel pixels to a training: {reasons[0]}. Mend its stages, or mark the "
            f"row `bound: true` if it is meant to learn from more than the task allows."
        )


def _breaches(evaluation: Stage, split: Split) -> Iterator[str]:
    for stage in closure([evaluation]):
        for parent in stage.inputs.values():
            if parent.access == "evaluation":
                yield f"stage {stage.name!r} uses the result of {parent.name!r}, which reads full ground truth"
        hidden = stage.params.get("novel", split.novel)
        if stage.access == "training" and not (isinstance(hidden, list | tuple) and set(split.novel) <= set(hidden)):
            yield f"the novel classes of split {split.name} are not hidden from stage {stage.name!r} (parameter novel)"
