"""Reads a TensorFlow.js graph model (model.json + .bin) without TensorFlow.

Owns: the file format. Must not know: which network it is.
Format: https://github.com/tensorflow/tfjs (converter, "Format of the model.json").
"""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Node:
    name: str
    op: str
    inputs: list
    attr: dict = field(default_factory=dict)

    def ints(self, key):
        return [int(i) for i in self.attr[key]["list"].get("i", [])]

    def text(self, key):
        return base64.b64decode(self.attr[key]["s"]).decode()


def read_weights(manifest, folder):
    """Name -> array, float16 storage widened to float32 (exact)."""
    out = {}
    for group in manifest:
        blob = b"".join((folder / p).read_bytes() for p in group["paths"])
        at = 0
        for w in group["weights"]:
            stored = w.get("quantization", {}).get("dtype", w["dtype"])
            if stored not in ("float32", "float16", "int32"):
                raise ValueError(f"weight {w['name']}: storage type {stored} is not handled")
            count = int(np.prod(w["shape"], dtype=np.int64))
            dtype = np.dtype(stored).newbyteorder("<")
            raw = np.frombuffer(blob, dtype, count, at)
            at += count * dtype.itemsize
            out[w["name"]] = raw.astype(w["dtype"]).reshape(w["shape"])
        if at != len(blob):
            raise ValueError(f"weights end at byte {at} of {len(blob)}")
    return out


def read(path):
    """(nodes by name in file order, constants by name)."""
    path = Path(path)
    model = json.loads(path.read_text())
    weights = read_weights(model["weightsManifest"], path.parent)
    nodes = {}
    for n in model["modelTopology"]["node"]:
        inputs = [i for i in n.get("input", []) if not i.startswith("^")]
        nodes[n["name"]] = Node(n["name"], n["op"], inputs, n.get("attr", {}))
    return nodes, weights
