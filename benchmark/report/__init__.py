"""What a run says: estimates of every cell, tables, plots, pictures, and the files that are published."""

from benchmark.report.publication import publish, publish_classes, publish_pictures, publish_plot
from benchmark.report.scores.estimates import Results, estimate

__all__ = [
    "Results",
    "estimate",
    "publish",
    "publish_classes",
    "publish_pictures",
    "publish_plot",
]
