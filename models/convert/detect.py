"""Runs a model by its manifest: input, the four output families, NMS. The measuring twin of agent/src/detector.

Owns: reading a manifest, filling the input, decoding. Must not know: drawing, files of pictures.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort


@dataclass
class Detection:
    name: str
    group: str
    score: float
    box: tuple  # x0, y0, x1, y1 in 0..1 of the picture


def opened(manifest):
    """What a manifest says, its network on one thread as the agent runs it, and the network's size in bytes."""
    path = Path(manifest)
    m = tomllib.loads(path.read_text())
    data = (path.parent / m["file"]).read_bytes()
    if hashlib.sha256(data).hexdigest() != m["sha256"]:
        raise SystemExit(f"{path}: sha256 is not that of {m['file']}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return m, ort.InferenceSession(data, options, providers=["CPUExecutionProvider"]), len(data)


class Model:
    def __init__(self, manifest):
        self.m, self.session, _ = opened(manifest)
        self.labels = {label["index"]: label for label in self.m["label"]}

    def fill(self, rgb):
        """The input tensor of a picture, and picture_from_model: (scale x, scale y, shift x, shift y) in 0..1."""
        i = self.m["input"]
        w, h = i["width"], i["height"]
        if i["fit"] == "stretch":
            x, back = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_LINEAR), (1.0, 1.0, 0.0, 0.0)
        else:  # scaled to fit, in the top left corner as YOLOX does
            ratio = min(w / rgb.shape[1], h / rgb.shape[0])
            nw, nh = round(rgb.shape[1] * ratio), round(rgb.shape[0] * ratio)
            x = np.full((h, w, 3), i.get("pad", 114), np.uint8)
            x[:nh, :nw] = cv2.resize(rgb, (nw, nh), interpolation=cv2.INTER_LINEAR)
            back = (w / nw, h / nh, 0.0, 0.0)
        if i["color"] == "bgr":
            x = x[:, :, ::-1]
        if i["dtype"] == "float32":
            x = (x.astype(np.float32) - np.float32(i.get("mean", [0, 0, 0]))) * np.float32(i.get("scale", [1, 1, 1]))
        if i["layout"] == "nchw":
            x = x.transpose(2, 0, 1)
        return np.ascontiguousarray(x[None]), back

    def raw(self, rgb):
        x, back = self.fill(rgb)
        names = [o.name for o in self.session.get_outputs()]
        values = self.session.run(names, {self.session.get_inputs()[0].name: x})
        return dict(zip(names, values)), back

    def detect(self, rgb, floor=0.0):
        """Detections above each label's min_score (or `floor`, if that is given), best first."""
        out, (sx, sy, tx, ty) = self.raw(rgb)
        i, o = self.m["input"], self.m["output"]
        boxes, scores = DECODE[o["family"]](out, i["width"], i["height"], len(self.labels))
        found = []
        for index, label in self.labels.items():
            for k in np.flatnonzero(scores[:, index] >= (floor or label["min_score"])):
                x0, y0, x1, y1 = boxes[k]
                box = (x0 * sx + tx, y0 * sy + ty, x1 * sx + tx, y1 * sy + ty)
                box = tuple(float(min(max(v, 0.0), 1.0)) for v in box)
                found.append(Detection(label["name"], label["group"], float(scores[k, index]), box))
        if o["family"] != "ssd":
            found = suppress(found, o["nms_iou"])
        found.sort(key=lambda d: -d.score)
        return found[: o["max_detections"]]


def boxes_scores(out, _w, _h, _c):
    return out["boxes"][0], out["scores"][0]


def yolox(out, w, h, _c):
    rows = next(iter(out.values()))[0]
    cells = []
    for s in (8, 16, 32):
        ys, xs = np.meshgrid(np.arange(h // s), np.arange(w // s), indexing="ij")
        cells.append(np.stack([xs.ravel(), ys.ravel(), np.full(xs.size, s)], 1))
    x, y, s = np.concatenate(cells).T
    cx, cy = (rows[:, 0] + x) * s / w, (rows[:, 1] + y) * s / h
    bw, bh = np.exp(rows[:, 2]) * s / w, np.exp(rows[:, 3]) * s / h
    return np.stack([cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2], 1), rows[:, 4:5] * rows[:, 5:]


def yolov8(out, w, h, _c):
    cx, cy, bw, bh, *scores = next(iter(out.values()))[0]
    return np.stack([(cx - bw / 2) / w, (cy - bh / 2) / h, (cx + bw / 2) / w, (cy + bh / 2) / h], 1), np.stack(scores, 1)


def ssd(out, _w, _h, c):
    y0, x0, y1, x1 = out["boxes"][0].T
    scores = np.zeros((len(x0), c), np.float32)
    index = out["classes"][0].astype(int) - 1
    scores[np.arange(len(x0)), index] = out["scores"][0]
    return np.stack([x0, y0, x1, y1], 1), scores


DECODE = {"boxes-scores": boxes_scores, "yolox": yolox, "yolov8": yolov8, "ssd": ssd}


def suppress(found, limit):
    """Greedy suppression within one group (a van is no car and truck at once), best first, ties in the order found."""
    kept = []
    for d in sorted(found, key=lambda d: -d.score):
        if all(k.group != d.group or iou(k.box, d.box) <= limit for k in kept):
            kept.append(d)
    return kept


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0.0) * max(h, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0
