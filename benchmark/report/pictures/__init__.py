"""Figures of images: label maps and predictions beside the ground truth."""
