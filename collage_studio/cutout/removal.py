"""Removing backgrounds with a model file: onnxruntime sessions, made on this computer only.

Never called in the window's process: the command line runs it.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.cutout.arrays import Float, resized, rgb_of
from collage_studio.cutout.matting import rematte
from collage_studio.cutout.rembg_models import CutoutModel
from collage_studio.cutout.scribbles import CutoutError

REFINE_SHARE = 1 / 160


def has_runtime() -> bool:
    """Models can be run: onnxruntime is installed."""
    return importlib.util.find_spec("onnxruntime") is not None


def open_session(path: Path) -> Any:
    """An onnxruntime session on the processor.

    Raises:
        CutoutError: onnxruntime is missing, or the file is gone, damaged or no model.
    """
    if not path.is_file():
        raise CutoutError(f"There is no model file {path}. Download it or choose another.")
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise CutoutError(
            "Background models need onnxruntime: install Collage Studio with its cutout extra, "
            "or cut out by strokes."
        ) from error
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise CutoutError(f"{path.name} is damaged or no ONNX model. Download it again.") from error


def remove_background(
    picture: npt.NDArray[Any], model: CutoutModel, path: Path, *, refined: bool = True
) -> Float:
    """The alpha that a model gives a picture, (H, W) float32 in [0, 1].

    Args:
        picture: (H, W, 3 or 4), sRGB-encoded.
        path: of the model's file.
        refined: re-matte the outline at full size; models answer at 320 or 1024 px.

    Raises:
        CutoutError: the model cannot be run on it.
    """
    session = open_session(path)
    inputs = session.get_inputs()
    try:
        answer = session.run(None, {inputs[0].name: fed(picture, model)})[0]
    except Exception as error:
        raise CutoutError(f"{path.name} is not the model {model.title}: it refused it.") from error
    alpha = read_answer(np.asarray(answer), model, (picture.shape[0], picture.shape[1]))
    if not refined:
        return alpha
    return rematte(picture, alpha, max(2.0, max(alpha.shape) * REFINE_SHARE), trust=0.1)


def fed(picture: npt.NDArray[Any], model: CutoutModel) -> Float:
    """The picture as the model wants it: (1, 3, side, side), divided by its brightest value."""
    rgb = resized(rgb_of(picture), (model.side, model.side))
    rgb = rgb / max(float(rgb.max()), 1e-6)
    normal = (rgb - np.array(model.mean)) / np.array(model.spread)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None]).astype(np.float32)


def read_answer(answer: npt.NDArray[Any], model: CutoutModel, shape: tuple[int, int]) -> Float:
    """A model's output (1, 1, h, w) as an alpha of `shape`, stretched to 0..1 as rembg does.

    Raises:
        CutoutError: the output has another shape.
    """
    if answer.ndim != 4 or answer.shape[0] != 1:
        raise CutoutError(f"{model.title} answered {answer.shape}, not one mask. Choose another.")
    mask = answer[0, 0].astype(np.float32)
    if model.is_logit:
        mask = 1.0 / (1.0 + np.exp(-mask))
    low, high = float(mask.min()), float(mask.max())
    mask = (mask - low) / max(high - low, 1e-6)
    how = cv2.INTER_AREA if mask.shape[0] > shape[0] else cv2.INTER_CUBIC
    grown = cv2.resize(mask, shape[::-1], interpolation=how)
    return cast(Float, np.clip(grown, 0.0, 1.0).astype(np.float32))
