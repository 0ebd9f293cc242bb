"""How well a witness tells stalls from people and cars: `python measure_witness.py FOLDER ../witness.toml [more.toml ...]`.

FOLDER has stall/ (photographs of stalls), labels/ (their boxes, YOLO form) and street/ (streets without one). A stall's crop is
about its box, a street's crops are about the persons and vehicles that the street network sees there, as the agent would cut them.
Prints a row of the card for each manifest: area under the curve, share found at 5 % false, what the rule's threshold gives, CPU-ms.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import words
from detect import Model, opened

CONTEXT = 1.2  # as WITNESS_CONTEXT of agent/infer/src/tuning.rs
LEAST_PX = 40
A_PICTURE = 6


class Witness:
    def __init__(self, manifest):
        self.m, self.session, self.bytes = opened(manifest)
        self.sums, self.classes = words.read(Path(manifest).with_name(self.m["output"]["words"]))
        self.spent, self.count = 0.0, 0

    def probabilities(self, rgb):
        side = self.m["input"]["width"]
        before = time.process_time()
        shrink = cv2.INTER_AREA if rgb.shape[0] > side else cv2.INTER_LINEAR
        x = cv2.resize(rgb, (side, side), interpolation=shrink)
        said = self.session.run(None, {"image": np.ascontiguousarray(x[None])})[0][0]
        self.spent, self.count = self.spent + time.process_time() - before, self.count + 1
        return said

    def look(self, rgb):
        said = self.probabilities(rgb)
        return {name: float(row @ said) for name, row in self.sums.items()}


def cut(rgb, box, context):
    """The square about a box (x0, y0, x1, y1 px), moved into the picture at its edges."""
    h, w = rgb.shape[:2]
    side = int(min(max(box[2] - box[0], box[3] - box[1]) * context, w, h))
    left = int(min(max((box[0] + box[2] - side) / 2, 0), w - side))
    top = int(min(max((box[1] + box[3] - side) / 2, 0), h - side))
    return rgb[top:top + side, left:left + side]


def picture(path):
    return cv2.imread(str(path))[:, :, ::-1]


def stalls(folder, context):
    for path in sorted((folder / "stall").iterdir()):
        rgb = picture(path)
        h, w = rgb.shape[:2]
        for line in (folder / "labels" / path.with_suffix(".txt").name).read_text().splitlines():
            _, cx, cy, bw, bh = map(float, line.split())
            yield path.stem, cut(rgb, ((cx - bw / 2) * w, (cy - bh / 2) * h, (cx + bw / 2) * w, (cy + bh / 2) * h), context)


def streets(folder, street, context):
    for path in sorted((folder / "street").iterdir()):
        rgb = picture(path)
        h, w = rgb.shape[:2]
        seen = [d for d in street.detect(np.ascontiguousarray(rgb)) if d.group in ("person", "vehicle")]
        boxes = [(d.box[0] * w, d.box[1] * h, d.box[2] * w, d.box[3] * h) for d in seen]
        boxes = [b for b in boxes if max(b[2] - b[0], b[3] - b[1]) >= LEAST_PX]
        for box in sorted(boxes, key=lambda b: -(b[2] - b[0]) * (b[3] - b[1]))[:A_PICTURE]:
            yield path.stem, cut(rgb, box, context)


def share(looks):
    """0..1: the goods' part of what speaks for goods or for people and vehicles alone."""
    return np.array([(s["stall"] + 0.01) / (s["stall"] + s["people or vehicles"] + 0.02) for s in looks])


def auc(good, bad):
    return float((good[:, None] > bad[None]).mean() + 0.5 * (good[:, None] == bad[None]).mean())


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("folder", type=Path)
    p.add_argument("manifests", type=Path, nargs="+")
    p.add_argument("--street", type=Path, default=Path(__file__).parent / "../street.toml")
    p.add_argument("--context", type=float, default=CONTEXT, help="width of a crop, in widths of its box")
    p.add_argument("--least", type=float, default=0.5, help="the rule's threshold of the goods' share")
    p.add_argument("--keep", type=Path, help="write probabilities of every crop to this .npz")
    a = p.parse_args()
    street = Model(a.street)
    good, bad = list(stalls(a.folder, a.context)), list(streets(a.folder, street, a.context))
    print(f"{len(good)} crops of stalls, {len(bad)} of persons and vehicles on streets without one")
    for manifest in a.manifests:
        witness = Witness(manifest)
        if a.keep:
            np.savez(a.keep / (manifest.stem + ".npz"), good=[witness.probabilities(c) for _, c in good], bad=[witness.probabilities(c) for _, c in bad])
        g, b = share([witness.look(c) for _, c in good]), share([witness.look(c) for _, c in bad])
        at5 = np.quantile(b, 0.95)
        print(f"{manifest.stem}: AUC {auc(g, b):.3f}; {100 * (g > at5).mean():.0f} % found at 5 % false; at {a.least} "
              f"{100 * (g >= a.least).mean():.0f} % found, {100 * (b >= a.least).mean():.0f} % false; "
              f"{1000 * witness.spent / witness.count:.1f} CPU-ms; {witness.bytes} bytes")


if __name__ == "__main__":
    main()
