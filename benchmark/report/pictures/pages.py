"""What a page of pictures shows: images, maps of them by the rows of a table, the ground truth."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.labels import mask_path, read_mask
from benchmark.report.pictures.page_plan import Choice, Kind, PagePlan, chosen_images

if TYPE_CHECKING:
    from benchmark.datasets import Dataset, DatasetInfo
    from benchmark.datasets.base import Image, Mask, Part, Split
    from benchmark.plan import Plan
    from benchmark.store import Store


class Shown(NamedTuple):
    """One image of a page.

    Attributes:
        id: of the image.
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) class ids or 255.
        labels: a map (H, W) for each column of maps; ``None`` where it was not made yet.
    """

    id: str
    image: "Image"
    truth: "Mask"
    labels: tuple["Mask | None", ...]


@dataclass(frozen=True)
class PicturePage:
    """The pictures of one table on one split, or of a dataset alone.

    Attributes:
        table: its name.
        dataset, split: what is shown; a split without novel classes stands for none.
        shown: one row of the page each.
        profile, preset, overrides, seed: what made the label maps; the profile is empty where there are none.
        columns: titles of the columns of maps, in the order of the table.
        missing: those of them that were not made yet.
        kind: label maps of training images, or what networks predict for test images.
        row: label of the only row that is shown, where a table has a page a row.
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
    kind: Kind = "labels"
    row: str = ""


def pages(plan: "Plan", store: "Store", dataset: "Dataset", page_plans: Iterable[PagePlan]) -> Iterator[PicturePage]:
    """Yield the page of each plan, with the maps that are in the store.

    Raises BenchmarkError for maps that do not fit their image.
    """
    for page_plan in page_plans:
        folders = [store.find(column.stage) for column in page_plan.columns]
        titles = tuple(column.title for column in page_plan.columns)
        yield PicturePage(
            table=page_plan.table,
            dataset=plan.dataset,
            split=page_plan.split,
            profile=plan.profile.name,
            preset=plan.preset,
            overrides=plan.overrides,
            seed=plan.seeds[0],
            columns=titles,
            missing=tuple(title for title, folder in zip(titles, folders, strict=True) if folder is None),
            shown=tuple(_shown(dataset, image_id, folders) for image_id in page_plan.ids),
            kind=page_plan.kind,
            row=page_plan.row,
        )


def dataset_page(dataset: "Dataset", split: "Split", choice: Choice, part: "Part" = "train") -> PicturePage:
    """Return a page of images of one part with their ground truth, without label maps.

    Raises BenchmarkError for an id that is not in the part.
    """
    shown = tuple(_shown(dataset, image_id, ()) for image_id in chosen_images(dataset, split.novel, choice, part))
    return PicturePage(f"dataset-{part}", dataset.info, split, shown)


def _shown(dataset: "Dataset", image_id: str, folders: Sequence[Path | None]) -> Shown:
    image, truth = dataset.image(image_id), dataset.mask(image_id)
    labels = tuple(
        None if folder is None else read_mask(mask_path(folder, image_id), truth.shape) for folder in folders
    )
    return Shown(image_id, image, truth, labels)
