"""Makes int8 variants of waste.onnx: `python quantize.py ../waste.onnx --data garbage3 --out DIR`.

Owns: calibration and the two integer flavours: U8S8 for x86 with VNNI, S8S8 for ARM64. Must not know: training.
QDQ, weights per channel. Box decoding stays in fp32.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

import data
import export

QUANTISED = ["Conv", "LeakyRelu", "MaxPool", "Concat", "Add", "AveragePool", "Resize"]
FLAVOURS = {"u8s8": QuantType.QUInt8, "s8s8": QuantType.QInt8}
TAIL = ("open_boxes", "cells", "centred")  # nodes of the decoding that share an operator with the network


class Pictures(CalibrationDataReader):
    """Training pictures as the camera would give them: every n-th, stretched to the input."""

    def __init__(self, pictures, width, height):
        self.rows = iter([{"image": cv2.resize(p.rgb, (width, height))[None]} for p in pictures])

    def get_next(self):
        return next(self.rows, None)


def widened(made):
    """The model with fp32 weights in place of fp16 and Cast: the quantiser wants plain initialisers."""
    halves = {i.name: i for i in made.graph.initializer if i.name.endswith(".h")}
    keep = [n for n in made.graph.node if not (n.op_type == "Cast" and n.input[0] in halves)]
    wide = [numpy_helper.from_array(numpy_helper.to_array(i).astype(np.float32), i.name[:-2]) for i in halves.values()]
    rest = [i for i in made.graph.initializer if i.name not in halves]
    del made.graph.node[:], made.graph.initializer[:]
    made.graph.node.extend(keep)
    made.graph.initializer.extend(rest + wide)
    return made


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model", type=Path)
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--count", type=int, default=150, help="pictures to calibrate with")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    made = onnx.load(a.model)
    _, height, width, _ = (d.dim_value for d in made.graph.input[0].type.tensor_type.shape.dim)
    plain = a.out / "plain.onnx"
    onnx.save(widened(made), plain)
    pictures = data.read(a.data / "train", half=False)
    pictures = pictures[::max(1, len(pictures) // a.count)]
    for flavour, kind in FLAVOURS.items():
        target = a.out / f"waste-{flavour}.onnx"
        quantize_static(str(plain), str(target), Pictures(pictures, width, height), quant_format=QuantFormat.QDQ,
                        activation_type=kind, weight_type=QuantType.QInt8, per_channel=True,
                        calibrate_method=CalibrationMethod.Percentile, op_types_to_quantize=QUANTISED,
                        nodes_to_exclude=list(TAIL), extra_options={"CalibPercentile": 99.99})
        export.write(a.out, target.name, target.read_bytes(), width, height)
    plain.unlink()


if __name__ == "__main__":
    main()
