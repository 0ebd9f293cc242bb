"""Persons found and false on marked frames: `python measure.py ../street.toml vtest.avi` (Debian opencv-doc, examples/data).

Prints found/false for several thresholds, as in the cards. The marks are in vtest-persons.json: frame number -> boxes
x0,y0,x1,y1 in 0..1. A found box counts when it overlaps a mark not yet taken by IoU over 0.4, best score first.
"""

import argparse
import json
from pathlib import Path

import cv2
from detect import Model, iou

THRESHOLDS = (0.30, 0.35, 0.40, 0.45, 0.50)
SMALL = 62 / 576  # of the picture's height


def frames(path, wanted):
    video, n = cv2.VideoCapture(str(path)), 0
    while True:
        got, bgr = video.read()
        if not got:
            return
        if n in wanted:
            yield n, bgr[:, :, ::-1].copy()
        n += 1


def match(found, marks):
    """Indices of the marks that were found, and the number of boxes that match none."""
    taken, false = set(), 0
    for d in found:
        best, j = max(((iou(d.box, m), j) for j, m in enumerate(marks) if j not in taken), default=(0.0, -1))
        if best > 0.4:
            taken.add(j)
        else:
            false += 1
    return taken, false


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("manifest", type=Path)
    p.add_argument("video", type=Path)
    a = p.parse_args()
    marks = {int(k): v for k, v in json.loads(Path(__file__).with_name("vtest-persons.json").read_text()).items()}
    model, seen = Model(a.manifest), []
    for n, rgb in frames(a.video, marks):
        seen.append((marks[n], [d for d in model.detect(rgb, min(THRESHOLDS)) if d.group == "person"]))
    persons = sum(len(m) for m, _ in seen)
    small = sum(b[3] - b[1] < SMALL for m, _ in seen for b in m)
    print(f"{len(seen)} frames, {persons} persons, {small} of them small")
    for t in THRESHOLDS:
        results = [(m, *match([d for d in found if d.score >= t], m)) for m, found in seen]
        hit = sum(len(taken) for _, taken, _ in results)
        tiny = sum(m[j][3] - m[j][1] < SMALL for m, taken, _ in results for j in taken)
        print(f"{t:.2f}: {hit} found, {sum(f for *_, f in results)} false, {tiny} small")


if __name__ == "__main__":
    main()
