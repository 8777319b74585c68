"""How fast a plan should be on a named GPU, from its shapes and the data sheet: nothing is run."""

from __future__ import annotations

from gpudb.predict.devices import GPUS, PRECISIONS, Gpu, find_gpu
from gpudb.predict.model import Setting
from gpudb.predict.prediction import Prediction, StepPrediction, predict

__all__ = [
    "GPUS",
    "PRECISIONS",
    "Gpu",
    "Prediction",
    "Setting",
    "StepPrediction",
    "find_gpu",
    "predict",
]
