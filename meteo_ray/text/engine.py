"""The child's side of `reader.TextReader`: RapidOCR on pixels that come in a memory file.

Only a guarded child imports this module. The engine is built while it does, so before the child gives up its rights
and before its memory is limited: a model that is missing shows at the start, and counts against no image.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rapidocr
from rapidocr import RapidOCR

from meteo_ray.text.modes import MODES, Mode, Zone

# Longer images are reduced to this many pixels a side, as RapidOCR does by default.
LONGEST_SIDE = 2000

# Enlarging shows the detector small print; beyond this there is nothing left to show.
MOST_ENLARGED = 2.0

# The detector halves its input five times.
DETECTOR_STEP = 32

# A box with a shorter side holds no character: those that are read are at least 6 pixels high.
LEAST_SIDE = 4

# From this ratio of height to width on, RapidOCR turns a line before it recognises it.
UPRIGHT_RATIO = 1.5

# In pixels: a line whose edge is this near to a zone's may go on beyond it.
CUT_MARGIN = 2

Image = np.ndarray
Box = np.ndarray


def read_lines(descriptor: int, width: int, height: int, mode: str) -> dict[str, Any]:
    """The lines of an image whose uint8 RGB pixels (height, width, 3) stand in an open file: {"lines": [...]}.

    Each line has the fields of `lines.TextLine`.
    """
    image, plan = _image(descriptor, width, height), MODES[mode]
    boxes = [box for zone in plan.zones for box in _found(image, zone, plan)]
    return {"lines": _recognised(image, _chosen(boxes, plan))}


def _built() -> RapidOCR:
    """The engine, its models loaded: those in its wheel, by their path, for without one it would look on the net."""
    models = Path(rapidocr.__file__).parent / "models"
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",  # it warns of every image without text
            "Global.use_preprocess_img": False,  # sizes are settled here: it enlarges narrow images without bounds
            "Global.use_vertical_padding": False,
            "Global.use_cls": False,  # see _readings
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "EngineConfig.onnxruntime.enable_cpu_mem_arena": False,
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Det.limit_type": "max",
            "Det.limit_side_len": LONGEST_SIDE * 2,
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
            # In a batch every line costs as much as the longest, and lines are filled up to this width: alone and with
            # half the usual 320, the lines of ten charts took 5.9 s instead of 14.1, and read as well.
            "Rec.rec_batch_num": 1,
            "Rec.rec_img_shape": [3, 48, 160],
        }
    )
    cv2.setNumThreads(1)
    blank = np.full((DETECTOR_STEP, DETECTOR_STEP, 3), 255, dtype=np.uint8)
    engine(blank, use_rec=False)
    engine.recognize_txt([blank])
    return engine


def _image(descriptor: int, width: int, height: int) -> Image:
    """The pixels in OpenCV's order of colours (BGR), reduced where they are very many."""
    with open(descriptor, "rb") as file:
        pixels = np.memmap(file, dtype=np.uint8, mode="r", shape=(height, width, 3))
        factor = min(1.0, LONGEST_SIDE / max(width, height))
        if factor < 1.0:
            size = (max(round(width * factor), 1), max(round(height * factor), 1))
            return cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)


def _found(image: Image, zone: Zone, plan: Mode) -> list[Box]:
    """Boxes of lines in a zone: float32 (4, 2), corners x, y in pixels of the image, clockwise from the upper left."""
    height, width = image.shape[:2]
    left, right = round(zone.left * width), round(zone.right * width)
    top, bottom = round(zone.top * height), round(zone.bottom * height)
    part = image[top:bottom, left:right]
    if not part.size:
        return []
    scale = _scale(width, height, plan)
    result: Any = ENGINE(_fitted(part, scale), use_rec=False)
    boxes = [] if result.boxes is None else [np.asarray(box, dtype=np.float32) / scale for box in result.boxes]
    inner = (left > 0, top > 0, right < width, bottom < height)
    size = (right - left, bottom - top)
    return [box + np.array([left, top], dtype=np.float32) for box in boxes if not _is_cut(box, size, inner)]


def _scale(width: int, height: int, plan: Mode) -> float:
    """By what the detector's image is larger than the image."""
    wanted = max(1.0, min(plan.short_side / min(width, height), MOST_ENLARGED))
    return min(wanted, (plan.detector_pixels / (width * height)) ** 0.5)


def _fitted(part: Image, scale: float) -> Image:
    """A part of an image at the detector's scale; its last row and column repeated up to whole steps."""
    height, width = (max(round(side * scale), 1) for side in part.shape[:2])
    if scale != 1.0:
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    below, beside = -height % DETECTOR_STEP, -width % DETECTOR_STEP
    return cv2.copyMakeBorder(part, 0, below, 0, beside, cv2.BORDER_REPLICATE)


def _is_cut(box: Box, size: tuple[int, int], inner: tuple[bool, bool, bool, bool]) -> bool:
    """Whether a line touches an edge of its zone (width, height) that is not the image's own."""
    (left, top), (right, bottom) = box.min(axis=0), box.max(axis=0)
    distances = (left, top, size[0] - right, size[1] - bottom)
    return any(within and distance <= CUT_MARGIN for within, distance in zip(inner, distances, strict=True))


def _chosen(boxes: list[Box], plan: Mode) -> list[Box]:
    """The boxes that are worth recognising, the largest first."""
    sides = [(_side(box, 0, 1), _side(box, 0, 3)) for box in boxes]
    large = [
        (min(side) * max(side), position)
        for position, side in enumerate(sides)
        if min(side) >= LEAST_SIDE and max(side) >= plan.least_ratio * min(side)
    ]
    return [boxes[position] for _, position in sorted(large, reverse=True)[: plan.most_lines]]


def _recognised(image: Image, boxes: list[Box]) -> list[dict[str, Any]]:
    """What boxes say, in reading direction whichever it is; those with nothing in them are left out."""
    if not boxes:
        return []
    size = np.array([image.shape[1], image.shape[0]], dtype=np.float32)
    readings = _readings(ENGINE.crop_text_regions(image, np.stack(boxes)), [_is_upright(box) for box in boxes])
    return [_line(text, score, box / size) for (text, score), box in zip(readings, boxes, strict=True) if text.strip()]


def _readings(crops: list[Image], upright: list[bool]) -> list[tuple[str, float]]:
    """Text and score of each crop. An upright line has been laid on its side to read downwards; it may run upwards."""
    turned = [position for position, is_upright in enumerate(upright) if is_upright]
    result: Any = ENGINE.recognize_txt([*crops, *(cv2.rotate(crops[position], cv2.ROTATE_180) for position in turned)])
    readings = list(zip(result.txts, result.scores, strict=True))
    for position, reading in zip(turned, readings[len(crops) :], strict=True):
        readings[position] = max(readings[position], reading, key=lambda text_and_score: text_and_score[1])
    return readings[: len(crops)]


def _is_upright(box: Box) -> bool:
    return _side(box, 0, 3) >= UPRIGHT_RATIO * _side(box, 0, 1)


def _line(text: str, score: float, box: Box) -> dict[str, Any]:
    (left, top), (right, bottom) = box.min(axis=0).clip(0, 1), box.max(axis=0).clip(0, 1)
    edges = {"left": left, "top": top, "right": right, "bottom": bottom}
    return {"text": text, "score": float(score), **{name: round(float(edge), 5) for name, edge in edges.items()}}


def _side(box: Box, one: int, other: int) -> float:
    return float(np.linalg.norm(box[one] - box[other]))


ENGINE = _built()
