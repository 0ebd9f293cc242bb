"""Writes the trained network as waste.onnx and waste.toml: `python export.py --checkpoint RUN/average-030.pt --out ..`.

Owns: the ONNX graph of our modules, labels and thresholds, fp16 storage. Must not know: training.
Weights are stored as fp16 and widened once at load; the arithmetic is fp32. The same checkpoint gives the same bytes.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

import model

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "convert"))
import nanodet  # noqa: E402  (the graph's collector and NanoDet's decoding, shared with street.onnx)
import shipped  # noqa: E402

VERSION = "1.2.0"
# A bin that is not full is no waste and has a group of its own; of group "waste", labels with "overflow" are full bins.
LABELS = [("garbage", "waste", 0.35), ("bin", "bin", 0.35), ("overflow", "waste", 0.40), ("stall", "stall", 0.30)]

PROVENANCE = ("NanoDet-g weights of street.onnx, trained further by models/train/run.sh on 2,679 pictures under CC BY 4.0 "
              "and stalls rendered by us")


class Writer:
    """Walks the network as model.Detector.levels does, and names what it meets as street.onnx does."""

    def __init__(self, net):
        self.g = nanodet.Graph()
        self.number = {id(m): n for n, m in enumerate(net.convolutions())}
        self.count = 0

    def name(self, kind):
        self.count += 1
        return f"{kind}_{self.count}"

    def conv(self, x, module):
        n = self.number[id(module)]
        name = "convolution" + (f"_{n}" if n else "")
        rounded = lambda p: p.detach().half().float().numpy()
        w = self.g.weight(name + ".w", rounded(module.weight))
        b = self.g.weight(name + ".b", rounded(module.bias))
        return self.g.op("Conv", [x, w, b], name, strides=list(module.stride), pads=list(module.padding) * 2,
                         kernel_shape=list(module.kernel_size))

    def active(self, x, module):
        return self.g.op("LeakyRelu", [self.conv(x, module)], self.name("leakyrelu"), alpha=model.SLOPE)

    def concat(self, parts):
        return self.g.op("Concat", parts, self.name("concat"), axis=1)

    def stage(self, x, stage):
        a = self.active(x, stage.entry)
        y = self.active(a, stage.narrow)
        for one, two in zip(stage.steps[::2], stage.steps[1::2]):
            y = self.active(self.concat([self.active(y, one), y]), two)
        return self.concat([y, a])

    def double(self, x):
        name = self.name("double")
        scales = self.g.const(name + ".scales", np.array([1, 1, 2, 2], np.float32))
        return self.g.op("Resize", [x, "", scales], name, mode="linear", coordinate_transformation_mode="half_pixel")

    def add(self, a, b):
        return self.g.op("Add", [a, b], self.name("add"))

    def mean(self, x):
        return self.g.op("AveragePool", [x], self.name("mean"), kernel_shape=[2, 2], strides=[2, 2])

    def levels(self, net):
        x = self.g.op("MaxPool", [self.active("normalised", net.stem)], "maxpool", kernel_shape=[3, 3], strides=[2, 2],
                      pads=[1] * 4)
        taps = []
        for stage in net.stages:
            x = self.stage(x, stage)
            taps.append(x)
        l3, l4, l5 = (self.conv(t, lat) for lat, t in zip(net.lateral, taps[1:]))
        p4 = self.add(l4, self.double(l5))
        p3 = self.add(l3, self.double(p4))
        n4 = self.add(p4, self.mean(p3))
        n5 = self.add(l5, self.mean(n4))
        for k, (p, tower, out) in enumerate(zip((p3, n4, n5), net.tower, net.out)):
            rows = self.conv(self.active(p, tower), out)
            shape = self.g.const(f"level{k}.flat", np.array([1, net.classes + 4 * model.BINS, -1], np.int64))
            yield self.g.op("Reshape", [rows, shape], f"level{k}")


def build(net, width, height):
    """The ONNX model: uint8 [1,H,W,3] RGB -> boxes [1,N,4], scores [1,N,C]."""
    writer = Writer(net)
    g = writer.g
    g.op("Transpose", ["image"], "planes", perm=[0, 3, 1, 2])
    g.op("Cast", ["planes"], "pixels", to=TensorProto.FLOAT)
    g.const("mean", net.mean.numpy())
    g.const("gain", net.gain.numpy())
    g.op("Sub", ["pixels", "mean"], "centred")
    g.op("Mul", ["centred", "gain"], "normalised")
    cells = nanodet.decode(g, width, height, list(writer.levels(net)), net.classes)
    value = helper.make_tensor_value_info
    image = value("image", TensorProto.UINT8, [1, height, width, 3])
    outputs = [value("boxes", TensorProto.FLOAT, [1, cells, 4]), value("scores", TensorProto.FLOAT, [1, cells, net.classes])]
    graph = helper.make_graph(g.nodes, "waste", [image], outputs, g.inits)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                             producer_name="kerbside models/train")
    onnx.checker.check_model(made, full_check=True)
    return made


def write(folder, file, data, width, height, columns=range(len(LABELS))):
    """The model's bytes and the manifest beside them; `columns`: those whose labels the manifest names."""
    shipped.write(folder, file, data, [(index, *LABELS[index]) for index in columns],
                  by="models/train/export.py", source="that", name=file.split(".")[0].split("-")[0], version=VERSION,
                  provenance=PROVENANCE, card="waste.md", width=width, height=height, max_detections=50)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--checkpoint", type=Path, required=True, help="average-NNN.pt or last.pt of a run")
    p.add_argument("--out", type=Path, required=True, help="folder for waste.onnx and waste.toml")
    p.add_argument("--size", default="320x192", help="input WxH, multiples of 32")
    p.add_argument("--only", choices=[label[0] for label in LABELS], help="write NAME.onnx and a manifest with this label alone")
    a = p.parse_args()
    width, height = (int(n) for n in a.size.split("x"))
    a.out.mkdir(parents=True, exist_ok=True)
    net = model.checkpoint(a.checkpoint)
    made = build(net, width, height)
    columns = [k for k in range(net.classes) if a.only in (None, LABELS[k][0])]
    write(a.out, f"{a.only or 'waste'}.onnx", made.SerializeToString(deterministic=True), width, height, columns)


if __name__ == "__main__":
    main()
