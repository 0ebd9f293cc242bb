"""Finds validation pictures whose scene is in the training set too: `python dupes.py --data garbage3 > dupes.txt`.

A validation picture is a duplicate when local features (SIFT) of one of its most similar training pictures agree with it
under one homography, in many points spread over the picture. This sees through shear, crop, flip and light; a mere
hash of the picture does not. Prints names; a summary goes to stderr.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

import data

CANDIDATES = 6
INLIERS = 25         # matched points under one homography
SPREAD = 0.15        # of the picture that their bounding box must cover


def coarse(rgb):
    """A colour thumbnail, free of brightness and contrast: for the choice of candidates only."""
    lab = cv2.cvtColor(cv2.resize(rgb, (16, 16), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB).astype(np.float32)
    lab -= lab.mean((0, 1))
    return (lab / (np.linalg.norm(lab) + 1e-6))


def hashed(rgb):
    """64 bits: signs of the low frequencies (Zauner's pHash)."""
    grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(grey.astype(np.float32))[:8, :8].ravel()[1:]
    return low > np.median(low)


class Points:
    def __init__(self):
        self.sift = cv2.SIFT_create(400)
        self.known = {}

    def of(self, key, rgb):
        if key not in self.known:
            grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
            at, what = self.sift.detectAndCompute(grey, None)
            self.known[key] = np.float32([k.pt for k in at]).reshape(-1, 2), what
        return self.known[key]


def agree(a, b, side):
    """Matched points under one homography, when they spread over enough of the picture; else 0."""
    (pa, da), (pb, db) = a, b
    if da is None or db is None or len(pa) < 8 or len(pb) < 8:
        return 0
    pairs = [m[0] for m in cv2.BFMatcher().knnMatch(da, db, 2) if len(m) == 2 and m[0].distance < 0.75 * m[1].distance]
    if len(pairs) < INLIERS:
        return 0
    src, dst = pa[[m.queryIdx for m in pairs]], pb[[m.trainIdx for m in pairs]]
    _, mask = cv2.findHomography(src, dst, cv2.RANSAC, 5.0)
    if mask is None:
        return 0
    kept = src[mask.ravel() > 0]
    spread = np.prod(np.ptp(kept, axis=0)) / side ** 2 if len(kept) else 0
    return len(kept) if spread >= SPREAD else 0


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", type=Path, required=True)
    a = p.parse_args()
    train, valid = (data.read(a.data / s, half=False) for s in ("train", "valid"))
    upright = np.stack([coarse(t.rgb) for t in train])
    both = np.concatenate([upright.reshape(len(train), -1), upright[:, :, ::-1].reshape(len(train), -1)])
    bits = np.stack([hashed(t.rgb) for t in train])
    points, same, alike = Points(), [], 0
    for v in valid:
        alike += int((bits != hashed(v.rgb)).sum(1).min() <= 8)
        near = np.argsort(-(both @ coarse(v.rgb).ravel()))[:CANDIDATES]
        for k in near:
            flip, t = k >= len(train), train[k % len(train)]
            rgb = np.ascontiguousarray(t.rgb[:, ::-1]) if flip else t.rgb
            if agree(points.of(v.name, v.rgb), points.of((t.name, flip), rgb), len(v.rgb)) >= INLIERS:
                same.append(v.name)
                break
    print("\n".join(same))
    print(f"{len(same)} of {len(valid)} by local features, {alike} by perceptual hash (distance at most 8 of 63)", file=sys.stderr)


if __name__ == "__main__":
    main()
