"""RIB: reducing the information bottleneck of a classifier, image by image, for larger class activation maps."""
