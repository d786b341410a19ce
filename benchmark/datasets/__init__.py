"""Datasets: images with full ground truth, and the view of them that training may see."""

from benchmark.datasets.base import IGNORE, Dataset, DatasetInfo
from benchmark.datasets.catalog import describe, load_dataset
from benchmark.datasets.transforms import Window
from benchmark.datasets.view import Crop, TrainingView

__all__ = [
    "IGNORE",
    "Crop",
    "Dataset",
    "DatasetInfo",
    "TrainingView",
    "Window",
    "describe",
    "load_dataset",
]
