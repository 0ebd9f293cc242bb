"""Draws what evaluate.py and train.py measured: `python curves.py RUN/log.jsonl epochs.png` for the course of a training.

Owns: pictures. Must not know: models. Pictures made from the data set carry its licence (CC BY 4.0) and say so.
"""

import json
import sys
from pathlib import Path

import cv2
import matplotlib
import numpy as np

from metrics import HIT_IOU, overlap

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (after the choice of the backend)

COLOURS = {"garbage": "#c0392b", "bin": "#27ae60", "overflow": "#d68910", "stall": "#2e86c1"}
TILE = 200               # px, side of a failure's picture
CREDIT = "pictures: Roboflow project-shb1t/-111-ehcfr v2, CC BY 4.0; boxes drawn by us (thin: truth, thick: found)"


def precision_recall(curves, path):
    figure, axes = pyplot.subplots(figsize=(5, 4), dpi=90)
    for name, c in curves.items():
        axes.plot(c.recall, c.precision, color=COLOURS.get(name), label=f"{name} {c.area:.3f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01), title="validation, IoU 0.5 (area)")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})


def course(log, path):
    """mAP50 over pictures seen; phases are told apart by their input size."""
    lines = [json.loads(line) for line in Path(log).read_text().splitlines()]
    measured = [line for line in lines if "map50" in line]
    figure, axes = pyplot.subplots(figsize=(5, 3.5), dpi=90)
    for k, name in enumerate(("all", "garbage", "bin", "overflow")):
        axes.plot([m["epoch"] for m in measured], [m["map50"][k] for m in measured], marker=".",
                  color=COLOURS.get(name, "black"), linewidth=2 if name == "all" else 1, label=name)
    for a, b in zip(lines, lines[1:]):
        if a["size"] != b["size"]:
            axes.axvline(b["epoch"] - 0.5, color="grey", linestyle=":")
            axes.text(b["epoch"] - 0.4, 0.02, b["size"], fontsize=7, color="grey")
    axes.set(xlabel="epoch", ylabel="AP50, validation", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})


def wrongs(picture, number, seen):
    """(false boxes, missed boxes) of one picture; a right place with a wrong class is both."""
    mine = [f for f in seen if f.picture == number]
    used = set()
    false = []
    for f in sorted(mine, key=lambda f: -f.score):
        over = [k for k, t in enumerate(picture.boxes) if k not in used and t[0] == f.label
                and overlap(f.box[None], t[None, 1:])[0, 0] >= HIT_IOU]
        if over:
            used.add(over[0])
        else:
            false.append(f)
    return false, [t for k, t in enumerate(picture.boxes) if k not in used]


def failures(pictures, seen, names, path, columns=4, rows=3):
    """The pictures with the most wrong boxes, worst first, in one sheet."""
    ranked = sorted(((sum(map(len, wrongs(p, n, seen))), n) for n, p in enumerate(pictures)), reverse=True)
    tiles = [tile(pictures[n], [f for f in seen if f.picture == n], names) for _, n in ranked[:columns * rows]]
    sheet = np.vstack([np.hstack(tiles[r * columns:(r + 1) * columns]) for r in range(rows)])
    strip = np.full((18, sheet.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, CREDIT, (4, 13), 0, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.imwrite(str(path), np.vstack([sheet, strip]), [cv2.IMWRITE_JPEG_QUALITY, 70])


def tile(picture, found, names):
    bgr = cv2.resize(picture.rgb[:, :, ::-1], (TILE, TILE), interpolation=cv2.INTER_AREA)
    colour = lambda k: tuple(int(COLOURS[names[k]][i:i + 2], 16) for i in (5, 3, 1))
    for row in picture.boxes:
        x0, y0, x1, y1 = (round(float(v) * TILE) for v in row[1:])
        cv2.rectangle(bgr, (x0, y0), (x1, y1), colour(int(row[0])), 1)
    for f in found:
        x0, y0, x1, y1 = (round(float(v) * TILE) for v in f.box)
        cv2.rectangle(bgr, (x0, y0), (x1, y1), colour(f.label), 2)
        cv2.putText(bgr, f"{names[f.label][:3]} {f.score:.2f}", (x0 + 2, min(TILE - 3, y0 + 10)), 0, 0.32, (255, 255, 255), 1,
                    cv2.LINE_AA)
    return bgr


if __name__ == "__main__":
    course(sys.argv[1], sys.argv[2])
