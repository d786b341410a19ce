"""What a run says: estimates of every cell, tables, plots, pictures, and the files that are published."""

from benchmark.report.publication import PublishedTable, publish, publish_classes, publish_pictures, publish_plot
from benchmark.report.scores.estimates import Estimate, Sheet, estimate

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
