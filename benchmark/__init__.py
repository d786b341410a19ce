"""Reproducibility benchmark for weak-shot semantic segmentation."""

__version__ = "0.1.0"
