"""Draws what a model sees: `python look.py ../street.toml --out DIR [--every 50] picture.jpg clip.mp4 ...`.

Prints one line a picture with its boxes (`--boxes`) or its counts, and the CPU-ms of one inference with one thread.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import cv2
from detect import Model

COLOURS = {"person": (0, 0, 255), "vehicle": (255, 128, 0), "furniture": (0, 200, 0), "waste": (200, 0, 200),
           "goods": (0, 200, 255), "stall": (255, 0, 128), "other": (160, 160, 160)}
PICTURES = (".jpg", ".jpeg", ".png", ".bmp")


def pictures(path, every):
    """(name, BGR picture) of a picture file, or of each `every`-th frame of a video."""
    if path.suffix.lower() in PICTURES:
        yield path.stem, cv2.imread(str(path))
        return
    video, n = cv2.VideoCapture(str(path)), 0
    while True:
        got, frame = video.read()
        if not got:
            break
        if n % every == 0:
            yield f"{path.stem}-{n:05d}", frame
        n += 1


def draw(bgr, detections):
    h, w = bgr.shape[:2]
    for d in detections:
        x0, y0, x1, y1 = (round(v * s) for v, s in zip(d.box, (w, h, w, h)))
        cv2.rectangle(bgr, (x0, y0), (x1, y1), COLOURS[d.group], 1)
        cv2.putText(bgr, f"{d.name} {d.score:.2f}", (x0, max(10, y0 - 3)), 0, 0.4, COLOURS[d.group], 1)
    return bgr


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("manifest", type=Path)
    p.add_argument("inputs", type=Path, nargs="+")
    p.add_argument("--out", type=Path, help="folder for the drawn pictures")
    p.add_argument("--every", type=int, default=50, help="of a video: each n-th frame")
    p.add_argument("--floor", type=float, default=0.0, help="one score for all labels instead of the manifest's")
    p.add_argument("--boxes", action="store_true", help="print every box")
    a = p.parse_args()
    model, spent, count = Model(a.manifest), 0.0, 0
    if a.out:
        a.out.mkdir(parents=True, exist_ok=True)
    for path in a.inputs:
        for name, bgr in pictures(path, a.every):
            rgb = bgr[:, :, ::-1].copy()
            before = time.process_time()
            found = model.detect(rgb, a.floor)
            spent, count = spent + time.process_time() - before, count + 1
            print(name, ", ".join(f"{v} {k}" for k, v in Counter(d.name for d in found).items()) or "nothing")
            if a.boxes:
                for d in found:
                    print(f"  {d.name} {d.score:.3f} [" + ", ".join(f"{v:.3f}" for v in d.box) + "]")
            if a.out:
                cv2.imwrite(str(a.out / f"{name}.jpg"), draw(bgr, found))
    if count:
        print(f"{count} pictures, {1000 * spent / count:.1f} CPU-ms each (resize, inference, decoding)")


if __name__ == "__main__":
    main()
