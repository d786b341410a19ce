"""From an image to class ids, by whichever network was trained."""

import numpy as np

from methods.largefov import inference as largefov
from methods.largefov.network import LargeFov
from methods.maskformer import inference as maskformer
from methods.settings import InputSettings
from methods.training.precision import arithmetic
from methods.weights.checkpoints import Network


def predict(model: Network, image: np.ndarray, settings: InputSettings) -> np.ndarray:
    """Return the class ids (H0, W0) int64 of one image (H0, W0, 3) uint8, at its own size, on the model's device."""
    with arithmetic("fp32"):
        if isinstance(model, LargeFov):
            return largefov.predict(model, image, settings)
        return maskformer.predict(model, image, settings)
