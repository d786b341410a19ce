"""What a page of pictures shows: images, label maps of them by the rows of a table, the ground truth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmark.errors import unknown
from benchmark.labels import label_stage, mask_path, read_mask

if TYPE_CHECKING:
    from benchmark.datasets import Dataset, DatasetInfo
    from benchmark.datasets.base import Image, Mask, Part
    from benchmark.plan import Plan, PlannedCell
    from benchmark.splits import Split
    from benchmark.store import Store

Choice = int | tuple[str, ...]  # how many images, or their ids


class Shown(NamedTuple):
    """One image of a page.

    Attributes:
        id: of the image.
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) class ids or 255.
        labels: a map (H, W) for each label column; ``None`` where it was not made yet.
    """

    id: str
    image: "Image"
    truth: "Mask"
    labels: tuple["Mask | None", ...]


@dataclass(frozen=True)
class Page:
    """The pictures of one table on one split, or of a dataset alone.

    Attributes:
        table: its name.
        dataset, split: what is shown; a split without novel classes stands for none.
        shown: one row of the page each.
        profile, preset, overrides, seed: what made the label maps; the profile is empty where there are none.
        columns: titles of the label columns, in the order of the table.
        missing: those of them that were not made yet.
    """

    table: str
    dataset: "DatasetInfo"
    split: "Split"
    shown: tuple[Shown, ...]
    profile: str = ""
    preset: str = "paper"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    columns: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class _Column(NamedTuple):
    title: str
    folder: Path | None  # of the label stage's result


def pages(plan: "Plan", store: "Store", dataset: "Dataset", choice: Choice) -> Iterator[Page]:
    """Yield a page for each table and split of a plan of which any row scores label maps; its first seed is shown.

    Raises BenchmarkError for an id that is no training image, and for label maps that do not fit their image.
    """
    for table in plan.tables:
        cells = [cell for cell in plan.of(table.name) if cell.seed == plan.seeds[0]]
        for name in dict.fromkeys(cell.split for cell in cells if cell.split in plan.splits):
            columns = _columns([cell for cell in cells if cell.split == name], store)
            if not columns:
                continue
            split = plan.splits[name]
            ids = chosen_images(dataset, split.novel, choice)
            yield Page(
                table=table.name,
                dataset=plan.dataset,
                split=split,
                profile=plan.profile.name,
                preset=plan.preset,
                overrides=plan.overrides,
                seed=plan.seeds[0],
                columns=tuple(column.title for column in columns),
                missing=tuple(column.title for column in columns if column.folder is None),
                shown=tuple(_shown(dataset, image_id, columns) for image_id in ids),
            )


def dataset_page(dataset: "Dataset", split: "Split", choice: Choice, part: "Part" = "train") -> Page:
    """Return a page of images of one part with their ground truth, without label maps.

    Raises BenchmarkError for an id that is not in the part.
    """
    shown = tuple(_shown(dataset, image_id, ()) for image_id in chosen_images(dataset, split.novel, choice, part))
    return Page(f"dataset-{part}", dataset.info, split, shown)


def chosen_images(dataset: "Dataset", novel: Sequence[int], choice: Choice, part: "Part" = "train") -> tuple[str, ...]:
    """Return the ids of the images to show.

    A number N means N places spread evenly over the images of the part, and from each on the next image, not taken yet,
    that shows a novel class, or any image where no class is novel: all such images where there are no more than N. Only
    masks that are passed are read. Raises BenchmarkError for an id that is not in the part.
    """
    ids = dataset.ids(part)
    if not isinstance(choice, int):
        for image_id in choice:
            if image_id not in ids:
                kind = "training image" if part == "train" else f"{part} image"
                raise unknown(kind, image_id, ids, f"dataset {dataset.info.name}")
        return choice
    tried: dict[int, bool] = {}  # place -> whether it shows a novel class and so was taken
    for i in range(choice):
        start = (2 * i + 1) * len(ids) // (2 * choice)
        for place in (*range(start, len(ids)), *range(start)):
            if place not in tried:
                tried[place] = not novel or bool(np.isin(dataset.mask(ids[place]), novel).any())
                if tried[place]:
                    break
    return tuple(ids[place] for place in sorted(tried) if tried[place])


def _columns(cells: Sequence["PlannedCell"], store: "Store") -> list[_Column]:
    """Return the label columns of one split. A sweep on it has several to a row, and their titles name both."""
    swept = len({cell.column for cell in cells}) > 1
    found = []
    for cell in cells:
        stage = label_stage(cell.stage) if cell.stage else None
        if stage:
            found.append(_Column(f"{cell.row}, {cell.column}" if swept else cell.row, store.find(stage)))
    return found


def _shown(dataset: "Dataset", image_id: str, columns: Sequence[_Column]) -> Shown:
    image, truth = dataset.image(image_id), dataset.mask(image_id)
    labels = tuple(
        None if column.folder is None else read_mask(mask_path(column.folder, image_id), truth.shape)
        for column in columns
    )
    return Shown(image_id, image, truth, labels)
