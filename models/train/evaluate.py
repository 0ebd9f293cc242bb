"""Scores a detector on labelled pictures: `python evaluate.py --data garbage3 ../waste.toml [--out DIR] [--leave-out FILE]`.

Prints average precision at IoU 0.5 of each class, and writes precision-recall curves and failures as pictures.
Owns: running a model over the pictures, the tables. Must not know: how figures are computed (metrics.py) or drawn (curves.py).
"""

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

import data
import model
from metrics import Found, curve, each_class

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "convert"))


def by_network(net, pictures, width, height):
    """Found boxes of a PyTorch network."""
    net = net.eval()
    centres, strides = model.grid(width, height)
    found, size = [], torch.tensor([width, height, width, height])
    for n, picture in enumerate(pictures):
        rgb = cv2.resize(picture.rgb, (width, height), interpolation=cv2.INTER_LINEAR)
        with torch.no_grad():
            logits, sides = net(torch.from_numpy(rgb).permute(2, 0, 1)[None].float())
            boxes = (model.boxes_px(sides, centres, strides) / size).clamp(0, 1)[0].numpy()
            scores = logits.sigmoid()[0].numpy()
        found += [Found(n, *one) for one in each_class(boxes, scores)]
    return found


def quick(net, pictures, width, height):
    """mAP50 and that of each class, for the training log."""
    found = by_network(net, pictures, width, height)
    truth = [p.boxes for p in pictures]
    kinds = [c for c in range(net.classes) if any((t[:, 0] == c).any() for t in truth)]
    areas = [curve(found, truth, [c]).area for c in kinds]
    return [round(v, 4) for v in (float(np.mean(areas)), *areas)]


def by_manifest(detector, pictures):
    """Found boxes of a shipped model, each class by itself; CPU-ms an inference."""
    import detect
    found, spent = [], 0.0
    i, o = detector.m["input"], detector.m["output"]
    for n, picture in enumerate(pictures):
        before = time.process_time()
        out, (sx, sy, tx, ty) = detector.raw(picture.rgb)
        spent += time.process_time() - before
        boxes, scores = detect.DECODE[o["family"]](out, i["width"], i["height"], len(detector.labels))
        boxes = np.clip(boxes * [sx, sy, sx, sy] + [tx, ty, tx, ty], 0, 1).astype(np.float32)
        found += [Found(n, *one) for one in each_class(boxes, scores)]
    return found, 1000 * spent / max(1, len(pictures))


def as_the_agent(detector, pictures):
    """What the agent would see: thresholds, one label a box, suppression within a group."""
    index = {label["name"]: k for k, label in detector.labels.items()}
    return [Found(n, index[d.name], d.score, np.array(d.box, np.float32))
            for n, picture in enumerate(pictures) for d in detector.detect(picture.rgb)]


def table(curves, title):
    print(f"\n{title}\nclass        boxes   AP50   best F1 at score: precision recall")
    for name, c in curves.items():
        score, precision, recall = c.best()
        print(f"{name:12} {c.truths:5}  {c.area:.4f}   {score:.2f}: {precision:.3f} {recall:.3f}")
    there = [c for c in curves.values() if c.truths]
    print(f"mAP50        {sum(c.truths for c in there):5}  {np.mean([c.area for c in there]):.4f}   over {len(there)} classes with boxes")


def operating(found, truth, names):
    print("\nas the agent sees it (thresholds of the manifest, one label a box)\nclass        precision recall false boxes")
    for k, name in enumerate(names):
        precision, recall, false = curve(found, truth, [k]).at(0.0)
        print(f"{name:12}     {precision:.3f}  {recall:.3f} {false:5}")
    kinds = [k for k in range(len(names)) if any((t[:, 0] == k).any() for t in truth)]
    found = [f for f in found if f.label in kinds]
    c = curve([Found(f.picture, 0, f.score, f.box) for f in found], truth, [0], kinds)
    precision, recall, false = c.at(0.0)
    print(f"any class        {precision:.3f}  {recall:.3f} {false:5}")


def confusion(found, truth, names):
    """Which class a true box was given by the best box over it: rows truth, columns found, last column: nothing."""
    from metrics import HIT_IOU, overlap
    counts = np.zeros((len(names), len(names) + 1), int)
    for n, rows in enumerate(truth):
        mine = sorted((f for f in found if f.picture == n), key=lambda f: -f.score)
        for row in rows:
            over = [f for f in mine if overlap(f.box[None], row[None, 1:])[0, 0] >= HIT_IOU]
            counts[int(row[0]), over[0].label if over else len(names)] += 1
    print("\ntruth \\ found " + " ".join(f"{n:>9}" for n in (*names, "missed")))
    for name, row in zip(names, counts):
        print(f"{name:13} " + " ".join(f"{v:9}" for v in row))


def main():
    import detect
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("manifest", type=Path)
    p.add_argument("--data", type=Path, required=True, help="folder with valid/, YOLO format")
    p.add_argument("--out", type=Path, help="folder for the pictures")
    p.add_argument("--leave-out", type=Path, help="names of pictures to leave out in a second table (see dupes.py)")
    p.add_argument("--any", action="store_true", help="only: all labels of the model as one class against all boxes")
    a = p.parse_args()
    pictures = data.read(a.data / "valid", half=False)
    truth = [x.boxes for x in pictures]
    detector = detect.Model(a.manifest)
    found, ms = by_manifest(detector, pictures)
    print(f"{a.manifest.stem}: {len(pictures)} pictures, {ms:.1f} CPU-ms each (resize and inference, one thread)")
    kinds = list(range(len(detector.labels)))
    if a.any:
        one = curve([Found(f.picture, 0, f.score, f.box) for f in found], truth, [0], kinds)
        table({"any": one}, "all labels as one class")
        return
    names = [detector.labels[k]["name"] for k in kinds]
    curves = {name: curve(found, truth, [k]) for k, name in enumerate(names)}
    table(curves, "all validation pictures")
    if a.leave_out:
        out = set(a.leave_out.read_text().split())
        kept = [x for x in range(len(pictures)) if pictures[x].name not in out]
        at = {n: k for k, n in enumerate(kept)}
        rest = [Found(at[f.picture], f.label, f.score, f.box) for f in found if f.picture in at]
        table({name: curve(rest, [truth[n] for n in kept], [k]) for k, name in enumerate(names)},
              f"without {len(pictures) - len(kept)} pictures whose scene is in the training set")
    seen = as_the_agent(detector, pictures)
    operating(seen, truth, names)
    confusion(seen, truth, names)
    if a.out:
        import curves as draw
        a.out.mkdir(parents=True, exist_ok=True)
        draw.precision_recall({name: c for name, c in curves.items() if c.truths}, a.out / "precision-recall.png")
        draw.failures(pictures, seen, names, a.out / "failures.jpg")


if __name__ == "__main__":
    main()
