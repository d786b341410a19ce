"""What a run says: estimates of every cell, tables, plots, pictures, and the files that are published."""

from benchmark.report.estimates import Estimate, Sheet, estimate
from benchmark.report.publication import PublishedTable, publish, publish_classes, publish_pictures, publish_plot

__all__ = [
    "Estimate",
    "PublishedTable",
    "Sheet",
    "estimate",
    "publish",
    "publish_classes",
    "publish_pictures",
    "publish_plot",
]
