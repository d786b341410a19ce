"""PASCAL VOC 2012 segmentation: background and 20 classes. The paper has no weak-shot splits of it.

To run methods on it, write splits of your own under ``splits`` in the dataset.yaml that ``data prepare`` made, and give
the path of that file as ``--dataset``.
"""

TITLE = "PASCAL VOC 2012"
CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
