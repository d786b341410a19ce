"""DeepLab-LargeFOV on the shared backbones: a per-pixel classifier that may be trained on pseudo labels.

Deviations from the network
that MCIS trains: backbone, pre-trained weights and augmentation are those that all methods share (a ResNet-50 with its
strides in 3x3 convolutions, in place of a ResNet-101 with strides in 1x1 ones); a convolution that loses its stride
keeps the dilation of the stage before, as weights trained with stride ask for; inference is single-scale, without CRF.
"""
