"""Stage function of SimFormer: segmentation losses, pixel-pair learning and distillation on pairs of images [4, 5]."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.randomness import generator, torch_generator
from benchmark.stage import StageContext
from methods.batches import Batch, TrainingImages
from methods.checkpoints import MODEL_FILE, save_model
from methods.maskformer.losses import segmentation_loss
from methods.maskformer.network import Output, parameter_groups
from methods.settings import InputSettings, MaskFormerSettings, SimFormerSettings, TrainingSettings, from_json
from methods.simformer.criterion import SimilarityTransfer
from methods.simformer.pairs import PairSampler
from methods.supervised import new_network
from methods.training import Losses, train
