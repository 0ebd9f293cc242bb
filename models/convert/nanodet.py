"""Turns the TFJS graph of NanoDet-g into an ONNX graph of any input size.

Owns: the translation of its dozen operators and NanoDet's decoding (generalised focal loss head).
Must not know: files, manifests, our labels' names.

The network is fully convolutional, so the same weights serve a 16:9 input; only the grid of cell
centres changes, and it is a constant of the graph. Decoding after NanoDet, Apache-2.0,
https://github.com/RangiLyu/nanodet (v0.x head: distance to each side = expectation of a softmax over
0..=10 bins, in units of the stride, from the cell's centre).
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
REG_MAX = 10
CLASSES = 80
# NanoDet's training normalisation, blue-green-red, in 0..255.
MEAN_BGR = (103.53, 116.28, 123.675)
STD_BGR = (57.375, 57.12, 58.395)
LAYOUT_ONLY = ("Transpose", "Identity")


class Graph:
    """Collects ONNX nodes and initialisers; weights are stored as fp16 and widened once at load."""

    def __init__(self):
        self.nodes, self.inits = [], []

    def const(self, name, array):
        self.inits.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, name, array):
        half = array.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), array):
            raise ValueError(f"{name}: not exactly representable as fp16")
        self.const(name + ".h", half)
        return self.op("Cast", [name + ".h"], name, to=TensorProto.FLOAT)

    def op(self, kind, inputs, output, **attr):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attr))
        return output


class Translator:
    """TF nodes are NHWC between transposes, but mean NCHW: layouts are ignored, everything is NCHW here."""

    def __init__(self, nodes, weights, graph, width, height, columns):
        self.nodes, self.weights, self.g = nodes, weights, graph
        self.columns = columns
        self.size = (height, width)
        self.done = {}
        self.pads = {}

    def source(self, name):
        """Follows transposes and identities up to the node that computes."""
        node = self.nodes[name.split(":")[0]]
        while node.op in LAYOUT_ONLY:
            node = self.nodes[node.inputs[0].split(":")[0]]
        return node

    def tensor(self, name):
        node = self.source(name)
        if node.name not in self.done:
            self.done[node.name] = getattr(self, "on_" + node.op)(node)
        return self.done[node.name]

    def on_Placeholder(self, _):
        return "normalised"

    def spatial_pad(self, node):
        """The amount that a Pad node adds on each side; it is folded into the operator behind it."""
        pads = self.weights[node.inputs[1]]
        if pads.tolist() != [[0, 0], [0, 0], [1, 1], [1, 1]]:
            raise ValueError(f"{node.name}: pads {pads.tolist()}")
        return 1

    def padded(self, name):
        node = self.source(name)
        if node.op in ("Pad", "PadV2"):
            return self.tensor(node.inputs[0]), self.spatial_pad(node)
        return self.tensor(name), 0

    def conv(self, node, bias, keep=None, rows=None):
        if node.text("padding") != "VALID" or node.ints("dilations") != [1, 1, 1, 1]:
            raise ValueError(f"{node.name}: unexpected convolution")
        x, pad = self.padded(node.inputs[0])
        kernel = self.weights[node.inputs[1]].transpose(3, 2, 0, 1)
        bias = self.weights[bias].reshape(-1)
        if rows is not None:
            kernel, bias = kernel[rows], bias[rows]
        if x == "normalised":  # the graph takes RGB, the network was trained on BGR
            kernel = kernel[:, ::-1]
        name = short(node.name)
        stride = node.ints("strides")[1:3]
        w = self.g.weight(name + ".w", kernel)
        b = self.g.weight(name + ".b", bias)
        return self.g.op("Conv", [x, w, b], name, strides=stride, pads=[pad] * 4,
                         kernel_shape=list(kernel.shape[2:]))

    def on_Add(self, node):
        a, b = node.inputs
        first = self.source(a)
        if first.op == "Conv2D":
            if b.split(":")[0] in self.weights:
                return self.conv(first, b)
        return self.g.op("Add", [self.tensor(a), self.tensor(b)], short(node.name))

    def on_LeakyRelu(self, node):
        alpha = float(node.attr["alpha"]["f"])
        return self.g.op("LeakyRelu", [self.tensor(node.inputs[0])], short(node.name), alpha=alpha)

    def on_ConcatV2(self, node):
        if int(self.weights[node.inputs[-1]]) != 1:
            raise ValueError(f"{node.name}: concatenation is not over channels")
        parts = [self.tensor(i) for i in node.inputs[:-1]]
        return self.g.op("Concat", parts, short(node.name), axis=1)

    def on_MaxPool(self, node):
        x, pad = self.padded(node.inputs[0])
        return self.g.op("MaxPool", [x], short(node.name), kernel_shape=node.ints("ksize")[1:3],
                         strides=node.ints("strides")[1:3], pads=[pad] * 4)

    def on_ResizeBilinear(self, node):
        """Twice or half, half-pixel centres. Half of an even size is a mean of 2x2, said as such: exact everywhere."""
        name, x = short(node.name), self.tensor(node.inputs[0])
        up = name in ("resize", "resize_1")
        if not up:
            return self.g.op("AveragePool", [x], name, kernel_shape=[2, 2], strides=[2, 2])
        scales = self.g.const(name + ".scales", np.array([1, 1, 2, 2], np.float32))
        return self.g.op("Resize", [x, "", scales], name, mode="linear",
                         coordinate_transformation_mode="half_pixel")

    def head(self, split_name):
        """One level: its class columns (wanted ones only) and its side distributions, each [1, c, cells]."""
        add = self.source(self.nodes[split_name].inputs[0])
        conv = self.source(add.inputs[0])
        name = "head" + str(conv.name.rsplit("_", 1)[-1])
        rows = list(self.columns) + list(range(CLASSES, CLASSES + 4 * (REG_MAX + 1)))
        out = self.conv(conv, add.inputs[1], rows=rows)
        shape = self.g.const(name + ".flat", np.array([1, len(rows), -1], np.int64))
        return self.g.op("Reshape", [out, shape], name)


def short(name):
    last = name.removeprefix("PartitionedCall/")
    return last.removesuffix("/ResizeBilinear").removeprefix("onnx_tf_prefix_").lower()


def grid(width, height):
    """Cell centres and strides of all levels, in the order of the head's cells; px of the model input."""
    centres, strides = [], []
    for s in STRIDES:
        ys, xs = np.meshgrid(np.arange(height // s), np.arange(width // s), indexing="ij")
        centres.append((np.stack([xs.ravel(), ys.ravel()]) + 0.5) * s)
        strides.append(np.full(xs.size, s, np.float64))
    return np.concatenate(centres, 1), np.concatenate(strides)


def decode(g, width, height, levels, classes):
    """boxes [1,N,4] x0,y0,x1,y1 in 0..1 of the model input, scores [1,N,C]."""
    both = g.op("Concat", levels, "cells", axis=2)
    sizes = g.const("cells.split", np.array([classes, 4 * (REG_MAX + 1)], np.int64))
    g.nodes.append(helper.make_node("Split", [both, sizes], ["logits", "sides"], axis=1, name="split"))
    g.op("Transpose", ["logits"], "logits_last", perm=[0, 2, 1])
    g.op("Sigmoid", ["logits_last"], "scores")

    (cx, cy), stride = grid(width, height)
    bins = g.const("bins.shape", np.array([4, REG_MAX + 1, -1], np.int64))
    g.op("Reshape", ["sides", bins], "bins")
    g.op("Transpose", ["bins"], "bins_last", perm=[2, 0, 1])
    g.op("Softmax", ["bins_last"], "chance", axis=-1)
    g.const("expect", np.arange(REG_MAX + 1, dtype=np.float32).reshape(-1, 1))
    g.op("MatMul", ["chance", "expect"], "sides_stride")
    flat = g.const("sides.shape", np.array([1, -1, 4], np.int64))
    g.op("Reshape", ["sides_stride", flat], "distance")
    reach = np.stack([-stride / width, -stride / height, stride / width, stride / height], 1)
    centre = np.stack([cx / width, cy / height, cx / width, cy / height], 1)
    g.const("reach", reach[None].astype(np.float32))
    g.const("centre", centre[None].astype(np.float32))
    g.op("Mul", ["distance", "reach"], "offset")
    g.op("Add", ["offset", "centre"], "open_boxes")
    g.const("zero", np.array(0, np.float32))
    g.const("one", np.array(1, np.float32))
    g.op("Clip", ["open_boxes", "zero", "one"], "boxes")
    return stride.size


def build(nodes, weights, width, height, columns, name):
    """The ONNX model: uint8 [1,H,W,3] RGB -> boxes, scores for the given COCO columns."""
    if width % 32 or height % 32:
        raise ValueError(f"input {width}x{height}: both must be multiples of 32")
    g = Graph()
    g.op("Transpose", ["image"], "planes", perm=[0, 3, 1, 2])
    g.op("Cast", ["planes"], "pixels", to=TensorProto.FLOAT)
    rgb = lambda bgr: np.array(bgr[::-1], np.float64).reshape(1, 3, 1, 1)
    g.const("mean", rgb(MEAN_BGR).astype(np.float32))
    g.const("gain", (1.0 / rgb(STD_BGR)).astype(np.float32))
    g.op("Sub", ["pixels", "mean"], "centred")
    g.op("Mul", ["centred", "gain"], "normalised")

    t = Translator(nodes, weights, g, width, height, columns)
    splits = sorted((n for n in nodes if nodes[n].op == "SplitV"), key=lambda n: int(n.rsplit("_", 1)[-1]))
    levels = [t.head(s) for s in splits]
    cells = decode(g, width, height, levels, len(columns))

    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, height, width, 3])
    boxes = helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, cells, 4])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, cells, len(columns)])
    graph = helper.make_graph(g.nodes, name, [image], [boxes, scores], g.inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                              producer_name="kerbside models/convert")
    return model
