"""Writes the composed validation set: `python scenes.py --data garbage3 --cutouts DIR --out DIR [--count 400]`.

Places of the validation half with cut-outs held for validation: DIR/valid/images and labels as evaluate.py reads them, a quarter of them
without a stall. A file's name says what stands there: NUMBER-FORM-LIGHT.jpg (FORM of the first stall, or `none`). Pictures made
from the data set carry its licence (CC BY 4.0). Owns: what is in the set. Must not know: the network.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

import compose
import data

SIZE = (640, 384)    # px
SEED = 20261123
EMPTY = 4            # every so many pictures has no stall


def one(rng, places, kinds, others, empty):
    """A picture with at most one stall: (rgb, boxes in px, name of what stands there)."""
    canvas = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    boxes = data.paste(rng, canvas, (0, 0, *SIZE), places[rng.integers(len(places))], fill=True)
    form = sorted(kinds)[rng.integers(len(kinds))]
    stall = kinds[form][rng.integers(len(kinds[form]))]
    boxes = compose.add(rng, canvas, boxes, [stall, *others], 0 if empty else 1)
    if rng.random() < 0.6:
        canvas = data.light(rng, canvas)
    there = (boxes[:, 0] == compose.STALL).any()
    return canvas, boxes, f"{stall.form}-{stall.light}" if there else "none-none"


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--cutouts", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--stalls", required=True, help="forms among the cut-outs that are stalls, with commas")
    p.add_argument("--count", type=int, default=400)
    a = p.parse_args()
    cutouts = compose.read(a.cutouts, a.stalls.split(","), held=True)
    kinds = {}
    for c in cutouts:
        if c.stall:
            kinds.setdefault(c.form, []).append(c)
    if not kinds:
        raise SystemExit(f"{a.cutouts}: none of the {len(cutouts)} cut-outs held for validation is a stall; draw more of them (sprites.py --stalls 160)")
    others = [c for c in cutouts if not c.stall]
    places = data.read(a.data / "valid")
    for kind in ("images", "labels"):
        (a.out / "valid" / kind).mkdir(parents=True, exist_ok=True)
    for n in range(a.count):
        rgb, boxes, name = one(np.random.default_rng([SEED, n]), places, kinds, others, n % EMPTY == 0)
        stem = f"{n:03d}-{name}"
        cv2.imwrite(str(a.out / "valid" / "images" / f"{stem}.jpg"), rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        rows = [f"{int(c)} {(x0 + x1) / 2 / SIZE[0]:.5f} {(y0 + y1) / 2 / SIZE[1]:.5f} {(x1 - x0) / SIZE[0]:.5f} {(y1 - y0) / SIZE[1]:.5f}"
                for c, x0, y0, x1, y1 in boxes]
        (a.out / "valid" / "labels" / f"{stem}.txt").write_text("\n".join(rows) + "\n")
    print(f"{a.count} pictures of {len(places)} places, {len(cutouts)} cut-outs: " + ", ".join(f"{f} {len(c)}" for f, c in sorted(kinds.items())))


if __name__ == "__main__":
    main()
