"""MaskFormer (Cheng et al., NeurIPS 2021): the segmentation network, matching and losses that the methods share."""
