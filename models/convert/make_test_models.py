"""Makes the tiny models that the decoder and session tests load: models/test/*.onnx with *.toml.

Owns: those models and the README beside them. Must not know: the shipped model.
Every output depends on the input (mean colour of two halves), so that a wrong layout or colour order shows.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

SIDE = 32  # px, both ways
F, I64, BOOL, U8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8

MANIFEST = """\
# Written by models/convert/make_test_models.py.
name = "{name}"
version = "1.0.0"
file = "{name}.onnx"
sha256 = "{sha256}"
licence = "Apache-2.0"
provenance = "arithmetic only, no trained weights"
card = "README.md"

[input]
width = {width}
height = {height}
layout = "{layout}"
dtype = "{dtype}"
color = "{color}"
fit = "{fit}"
{extra}
[output]
family = "{family}"
nms_iou = 0.5
max_detections = {max_detections}

[[label]]
index = 0
name = "person"
group = "person"
min_score = {person}

[[label]]
index = 1
name = "bag"
group = "waste"
min_score = 0.25
"""


class G:
    """A graph under construction."""

    def __init__(self):
        self.nodes, self.inits = [], []

    def c(self, name, value, dtype=np.float32):
        self.inits.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def op(self, kind, inputs, output, **attr):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attr))
        return output

    def model(self, name, inputs, outputs):
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.inits)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                                 producer_name="kerbside models/convert")
        checker.check_model(made, full_check=True)
        return made


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def left_right(g, layout, dtype, divide):
    """`l` and `r`: float [3], the mean of each channel over the left and the right half, divided by `divide`."""
    pixels = g.op("Cast", ["image"], "pixels", to=F) if dtype == "uint8" else "image"
    planes = g.op("Transpose", [pixels], "planes", perm=[0, 3, 1, 2]) if layout == "nhwc" else pixels
    axis = g.c("w", [3], np.int64)
    for half, start, stop in (("l", 0, SIDE // 2), ("r", SIDE // 2, SIDE)):
        cut = g.op("Slice", [planes, g.c(half + ".a", [start], np.int64), g.c(half + ".b", [stop], np.int64), axis],
                   half + ".cut")
        mean = g.op("ReduceMean", [cut], half + ".mean", axes=[0, 2, 3], keepdims=0)
        g.op("Div", [mean, g.c(half + ".by", [divide])], half)


def channel(g, half, index):
    return g.op("Gather", [half, g.c(f"{half}{index}.i", [index], np.int64)], f"{half}{index}", axis=0)


def tiny_boxes():
    """Two boxes: left half a person as sure as it is red, right half a bag as sure as it is blue."""
    g = G()
    left_right(g, "nhwc", "uint8", 255.0)
    none = g.c("none", [0.0])
    flat = g.op("Concat", [channel(g, "l", 0), none, none, channel(g, "r", 2)], "flat", axis=0)
    g.op("Reshape", [flat, g.c("s", [1, 2, 2], np.int64)], "scores")
    g.c("fixed", [[[0.0, 0.25, 0.5, 1.0], [0.5, 0.0, 1.0, 0.75]]])
    g.op("Identity", ["fixed"], "boxes")
    return g.model("tiny-boxes", [value("image", U8, [1, SIDE, SIDE, 3])],
                   [value("boxes", F, [1, 2, 4]), value("scores", F, [1, 2, 2])])


def tiny_yolox():
    """21 cells (4x4 of stride 8, 2x2 of stride 16, 1 of stride 32), [1,21,7], not decoded.

    Cell 0 (stride 8) holds a person as sure as the left half is more blue than green, cell 19 (stride 16, column 1,
    row 1) a bag as sure as the right half is more red than green. Input: float32 NCHW BGR 0..255.
    """
    g = G()
    left_right(g, "nchw", "float32", 255.0)
    fixed = np.zeros((21, 7), np.float32)
    fixed[0, :4] = 0.5, 1.0, 0.0, np.log(2.0)      # centre 4,8; 8 wide, 16 high
    fixed[19, :4] = 0.5, 0.5, 0.0, 0.0             # centre 24,24; 16 wide, 16 high
    fixed[0, 5] = fixed[19, 6] = 1.0               # class
    person, bag = np.zeros((21, 7), np.float32), np.zeros((21, 7), np.float32)
    person[0, 4] = bag[19, 4] = 1.0                # objectness
    more_blue = g.op("Sub", [channel(g, "l", 0), channel(g, "l", 1)], "more_blue")
    more_red = g.op("Sub", [channel(g, "r", 2), channel(g, "r", 1)], "more_red")
    a = g.op("Mul", [g.c("person", person), g.op("Relu", [more_blue], "blue")], "p")
    b = g.op("Mul", [g.c("bag", bag), g.op("Relu", [more_red], "red")], "q")
    both = g.op("Add", [a, b], "pq")
    rows = g.op("Add", [both, g.c("fixed", fixed)], "rows")
    g.op("Unsqueeze", [rows, g.c("ax", [0], np.int64)], "output")
    return g.model("tiny-yolox", [value("image", F, [1, 3, SIDE, SIDE])], [value("output", F, [1, 21, 7])])


# Two overlapping persons (one must fall to NMS) and a bag, cx,cy,w,h in model px.
PLACES = [[8, 16, 16, 24], [9, 16, 16, 24], [24, 12, 16, 24]]


def sure(g, n):
    """Scores [1,n] of `PLACES` and n-3 boxes without any: persons as sure as left is red, a bag as sure as right is blue."""
    person = g.op("Mul", [channel(g, "l", 0), g.c("ps", [1.0, 0.9] + [0.0] * (n - 2))], "persons")
    bag = g.op("Mul", [channel(g, "r", 2), g.c("bs", [0.0, 0.0, 1.0] + [0.0] * (n - 3))], "bags")
    shape = g.c("row", [1, n], np.int64)
    return g.op("Reshape", [person, shape], "p2"), g.op("Reshape", [bag, shape], "b2")


def places(n):
    return np.array(PLACES + [[16, 16, 8, 8]] * (n - 3), np.float32).T


def turned(g, rows, by_box, shape):
    """The rows [C,N] as the output: as they are, or by box."""
    if by_box:
        rows = g.op("Transpose", [rows], "by_box", perm=[1, 0])
    g.op("Unsqueeze", [rows, g.c("ax", [0], np.int64)], "output0")
    return [value("image", F, [1, 3, SIDE, SIDE])], [value("output0", F, shape)]


def tiny_yolov8(by_box=False):
    """[1,6,21], or [1,21,6]: the boxes of `PLACES` on 4x4 + 2x2 + 1 cells."""
    g = G()
    left_right(g, "nchw", "float32", 1.0)
    flat = g.op("Concat", [g.c("cxcywh", places(21)), *sure(g, 21)], "rows", axis=0)
    return g.model("tiny-yolov8", *turned(g, flat, by_box, [1, 21, 6] if by_box else [1, 6, 21]))


def tiny_yolov5():
    """[1,63,7]: the same, three boxes a cell, with an objectness of 1."""
    g = G()
    left_right(g, "nchw", "float32", 1.0)
    rows = [g.c("cxcywh", places(63)), g.c("object", np.ones((1, 63), np.float32)), *sure(g, 63)]
    return g.model("tiny-yolov5", *turned(g, g.op("Concat", rows, "rows", axis=0), True, [1, 63, 7]))


def tiny_nms():
    """[1,4,6]: x0,y0,x1,y1, score, class; a person, a bag and two rows of padding."""
    g = G()
    left_right(g, "nchw", "float32", 1.0)
    corners = [[0, 4, 16, 28], [16, 0, 32, 24], [0, 0, 0, 0], [0, 0, 0, 0]]
    none = g.c("none", [0.0])
    score = g.op("Concat", [channel(g, "l", 0), channel(g, "r", 2), none, none], "score", axis=0)
    row = g.op("Reshape", [score, g.c("row", [1, 4], np.int64)], "scores")
    classes = g.c("classes", [[0.0, 1.0, 0.0, 0.0]])
    flat = g.op("Concat", [g.c("corners", np.array(corners, np.float32).T), row, classes], "rows", axis=0)
    return g.model("tiny-nms", *turned(g, flat, True, [1, 4, 6]))


def wrong(name, box, scores):
    """A yolov8 output that fits by its shape and by nothing else; as good as constant."""
    g = G()
    left_right(g, "nchw", "float32", 1.0)
    rows = np.array([*box, *scores], np.float32).reshape(6, 1).repeat(21, axis=1)
    nothing = g.op("Mul", [channel(g, "l", 0), g.c("zero", [0.0])], "nothing")
    return g.model(name, *turned(g, g.op("Add", [g.c("rows", rows), nothing], "sum"), False, [1, 6, 21]))


def wrong_logits():
    """Scores before the sigmoid."""
    return wrong("wrong-logits", [16, 16, 8, 8], [-2.0, -1.0])


def wrong_shares():
    """Coordinates as shares of the picture."""
    return wrong("wrong-shares", [0.5, 0.5, 0.25, 0.25], [0.1, 0.1])


def wrong_person():
    """A person in whatever picture."""
    return wrong("wrong-person", [16, 16, 8, 8], [0.9, 0.0])


def tiny_ssd():
    """TF detection outputs: y0,x0,y1,x1, classes from 1, scores; the last of three rows is padding (score 0)."""
    g = G()
    left_right(g, "nhwc", "uint8", 255.0)
    flat = g.op("Concat", [channel(g, "l", 0), channel(g, "r", 2), g.c("none", [0.0])], "flat", axis=0)
    g.op("Reshape", [flat, g.c("s", [1, 3], np.int64)], "scores")
    g.c("fixed", [[[0.25, 0.0, 1.0, 0.5], [0.0, 0.5, 0.75, 1.0], [0.0, 0.0, 0.0, 0.0]]])
    g.op("Identity", ["fixed"], "boxes")
    g.op("Identity", [g.c("numbers", [[1.0, 2.0, 1.0]])], "classes")
    return g.model("tiny-ssd", [value("image", U8, [1, SIDE, SIDE, 3])],
                   [value("boxes", F, [1, 3, 4]), value("classes", F, [1, 3]), value("scores", F, [1, 3])])


def loop():
    """A boxes-scores model whose Loop takes a 48x48 product 2^40 times: days. The time limit must end it."""
    body_nodes = [helper.make_node("MatMul", ["x", "k"], ["x_next"], name="step"),
                  helper.make_node("Identity", ["go"], ["go_next"], name="on")]
    body = helper.make_graph(
        body_nodes, "body", [value("i", I64, []), value("go", BOOL, []), value("x", F, [48, 48])],
        [value("go_next", BOOL, []), value("x_next", F, [48, 48])],
        [numpy_helper.from_array(np.full((48, 48), 1 / 48, np.float32), "k")])
    g = G()
    left_right(g, "nhwc", "uint8", 255.0)
    start = g.op("Expand", [channel(g, "l", 0), g.c("square", [48, 48], np.int64)], "start")
    g.op("Loop", [g.c("times", 1 << 40, np.int64), g.c("yes", True, np.bool_), start], "x_last", body=body)
    cut = g.op("Slice", ["x_last", g.c("a", [0, 0], np.int64), g.c("b", [1, 2], np.int64)], "cut")
    g.op("Unsqueeze", [cut, g.c("ax", [0], np.int64)], "scores")
    g.op("Identity", [g.c("fixed", [[[0.0, 0.0, 1.0, 1.0]]])], "boxes")
    return g.model("loop", [value("image", U8, [1, SIDE, SIDE, 3])],
                   [value("boxes", F, [1, 1, 4]), value("scores", F, [1, 1, 2])])


def huge():
    """A few hundred bytes that ask for a 4 TB output: [1, 2^37, 4] boxes. Must be refused by its declared shape, not tried."""
    n = 1 << 37
    g = G()
    left_right(g, "nhwc", "uint8", 255.0)
    g.op("Expand", [channel(g, "l", 0), g.c("b.shape", [1, n, 4], np.int64)], "boxes")
    g.op("Expand", [channel(g, "r", 2), g.c("s.shape", [1, n, 2], np.int64)], "scores")
    return g.model("huge", [value("image", U8, [1, SIDE, SIDE, 3])],
                   [value("boxes", F, [1, n, 4]), value("scores", F, [1, n, 2])])


UINT8 = dict(layout="nhwc", dtype="uint8", color="rgb", fit="stretch", extra="")
YOLOX = dict(layout="nchw", dtype="float32", color="bgr", fit="letterbox", extra="pad = 114\n")
YOLOV8 = dict(layout="nchw", dtype="float32", color="rgb", fit="letterbox",
              extra="mean = [0.0, 0.0, 0.0]\nscale = [0.00392156862745098, 0.00392156862745098, 0.00392156862745098]\npad = 114\n")
MODELS = [("tiny-boxes", tiny_boxes, "boxes-scores", UINT8), ("tiny-yolox", tiny_yolox, "yolox", YOLOX),
          ("tiny-yolov8", tiny_yolov8, "yolov8", YOLOV8),
          ("tiny-yolov8-turned", lambda: tiny_yolov8(by_box=True), "yolov8", YOLOV8),
          ("tiny-yolov5", tiny_yolov5, "yolov5", YOLOV8), ("tiny-nms", tiny_nms, "nms", YOLOV8),
          ("wrong-logits", wrong_logits, "yolov8", YOLOV8), ("wrong-shares", wrong_shares, "yolov8", YOLOV8),
          ("wrong-person", wrong_person, "yolov8", YOLOV8), ("tiny-ssd", tiny_ssd, "ssd", UINT8),
          ("loop", loop, "boxes-scores", UINT8), ("huge", huge, "boxes-scores", UINT8)]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--out", type=Path, required=True)
    out = p.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, make, family, form in MODELS:
        # A plain grey picture (114) is a person of 0.45 to most of them; no network that sees persons in grey is used.
        person = 0.25 if family == "yolox" else 0.5
        data = make().SerializeToString(deterministic=True)
        (out / f"{name}.onnx").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        text = MANIFEST.format(name=name, sha256=sha256, width=SIDE, height=SIDE, family=family, person=person,
                               max_detections=100, **form)
        (out / f"{name}.toml").write_text(text)
        print(f"{name}.onnx {len(data)} bytes")


if __name__ == "__main__":
    main()
