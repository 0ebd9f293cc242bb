"""Puts rendered cut-outs onto real pictures as if they had stood there: `add` for training, `paint` for one.

Size, foot on the ground, light and colour of the place, sharpness, shadow; boxes of what was covered are dropped.
Owns: cut-outs in memory, blending. Must not know: rendering, the network, files other than cut-outs.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

STALL = 3                   # its class
SPAN = (0.14, 0.88)         # a stall's width as a share of the canvas, at most so high: TALL
TALL = 0.95
INSIDE = 0.72               # of a stall's box that lies in the picture, at least
COVERED = 0.6               # a box covered more than this is dropped
COUNT, CHANCES = (0, 1, 2, 3), (0.2, 0.55, 0.18, 0.07)         # stalls in a composed picture
OTHERS, OTHER_CHANCES = (0, 1, 2, 3), (0.35, 0.35, 0.2, 0.1)   # things that are none
STRETCH, HUE = (0.85, 1.18), 0.6   # of height over width; rad about the grey axis
DARK = 9                    # straight colour at most so bright, half transparent: shadow on the ground


@dataclass
class Cutout:
    rgba: np.ndarray        # uint8, premultiplied; shadow on the ground is black
    box: np.ndarray         # px, of the thing without its shadow and persons
    form: str
    light: str
    stall: bool


def read(folder, stalls, held=False):
    """Cut-outs of sprites.py for training, or those held for validation; `stalls`: names of the forms that are stalls."""
    out = []
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path) as z:
            if bool(z["held"]) == held:
                form = str(z["form"])
                out.append(Cutout(premultiplied(z["rgba"]), z["box"], form, str(z["light"]), form in stalls))
    return out


def premultiplied(rgba):
    """With a shadow that ends before the picture does: no edge may give the cut-out away."""
    alpha = rgba[..., 3].astype(np.float32) / 255
    shadow = (rgba[..., :3].max(2) <= DARK) & (alpha < 0.97)
    h, w = alpha.shape
    y, x = np.mgrid[0:h, 0:w]
    rim = np.minimum(np.minimum(x, w - 1 - x) / (0.1 * w), np.minimum(y, h - 1 - y) / (0.1 * h)).clip(0, 1)
    alpha = np.where(shadow, np.clip(alpha - 0.07, 0, 1) * rim, alpha)[..., None]
    return np.concatenate([rgba[..., :3] * alpha, alpha * 255], 2).astype(np.uint8)


def sharpness(grey, mask=None):
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    return float(edges.mean() if mask is None else edges[mask].mean()) + 0.5


def hue(angle):
    """The matrix that turns colours about the grey axis."""
    c, s = np.cos(angle), np.sin(angle) / 3**0.5
    return (c * np.eye(3) + (1 - c) / 3 + s * np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])).astype(np.float32)


def scaled(rng, cutout, scale):
    """Colour 0..255 and alpha 0..1 at `scale`, mirrored now and then, its shadow as strong as the weather makes it; its box; where
    it is solid."""
    both, box = cutout.rgba, cutout.box.copy()
    if rng.random() < 0.5:
        both = both[:, ::-1]
        box[[0, 2]] = both.shape[1] - box[[2, 0]]
    tall = scale * rng.uniform(*STRETCH)
    size = (max(2, round(both.shape[1] * scale)), max(2, round(both.shape[0] * tall)))
    both = cv2.resize(np.ascontiguousarray(both), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR).astype(np.float32)
    alpha = both[..., 3:] / 255
    shadow = (both[..., :3].max(2, keepdims=True) <= DARK * alpha) & (alpha < 0.97)
    both[..., 3:] = np.where(shadow, alpha * rng.uniform(0.45, 1.0), alpha)
    if rng.random() < 0.5:
        both[..., :3] = np.clip(both[..., :3] @ hue(rng.uniform(-HUE, HUE)), 0, None)
    return both, box * [scale, tall, scale, tall], (alpha > 0.6)[..., 0] & ~shadow[..., 0]


def matched(rng, both, canvas, under):
    """Colour like the place: brightness and tint of what is under it, less vivid, a little haze, no sharper than its surroundings."""
    colour, alpha = both[..., :3], both[..., 3:]
    solid = alpha[..., 0] > 0.9
    if solid.sum() < 20:
        return both
    own = colour[solid].mean(0)
    there = under.reshape(-1, 3).mean(0) if under.size else canvas.reshape(-1, 3).mean(0)
    luma = np.array([0.3, 0.59, 0.11])
    gain = np.clip((there @ luma / max(own @ luma, 4.0)) ** rng.uniform(0.2, 0.9), 0.4, 2.0) * rng.uniform(0.85, 1.15)
    whole = np.array(cv2.mean(canvas)[:3]) + 4
    tint = np.clip((whole / (whole @ luma)) ** rng.uniform(0.2, 1.0), 0.75, 1.3)
    grey = (colour @ luma)[..., None]
    colour = (grey + (colour - grey) * rng.uniform(0.45, 1.1)) * (gain * tint)
    haze = rng.uniform(0, 0.15)
    colour = colour * (1 - haze) + whole * haze * alpha * solid[..., None]
    colour = np.minimum(colour, 255 * alpha)
    mine = sharpness((colour @ luma).astype(np.float32), solid)
    place = sharpness(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY).astype(np.float32))
    both = np.concatenate([colour, alpha], 2).astype(np.float32)
    sigma = rng.uniform(0, 0.45) + np.clip(0.5 * (mine / place - 1.2), 0, 1.0)
    return cv2.GaussianBlur(both, (0, 0), sigma) if sigma > 0.25 else both


def paint(rng, canvas, cutout, width, foot):
    """Draws a cut-out whose box is `width` px wide with the middle of its foot at `foot`; (box, mask of what it covers)."""
    both, box, solid = scaled(rng, cutout, width / max(1.0, cutout.box[2] - cutout.box[0]))
    x, y = round(foot[0] - (box[0] + box[2]) / 2), round(foot[1] - box[3])
    h, w = canvas.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + both.shape[1], w), min(y + both.shape[0], h)
    mask = np.zeros((h, w), bool)
    at = box + [x, y, x, y]
    if x1 <= x0 or y1 <= y0:
        return at, mask
    ground = canvas[max(0, min(h - 4, int(at[3] - (at[3] - at[1]) / 3))):max(4, int(at[3])), max(0, int(at[0])):max(1, int(at[2]))]
    both = matched(rng, both, canvas, ground)[y0 - y:y1 - y, x0 - x:x1 - x]
    part = canvas[y0:y1, x0:x1]
    part[:] = np.clip(part * (1 - both[..., 3:]) + both[..., :3], 0, 255).astype(np.uint8)
    mask[y0:y1, x0:x1] = solid[y0 - y:y1 - y, x0 - x:x1 - x]
    return at, mask


def size_of(rng, cutout, w, h):
    """Width in px that the box is given."""
    bw, bh = cutout.box[2:] - cutout.box[:2]
    if cutout.stall:
        span = np.exp(rng.uniform(np.log(SPAN[0]), np.log(SPAN[1]))) if rng.random() < 0.5 else rng.uniform(*SPAN)
        return min(span * w, TALL * h * bw / bh)
    if cutout.form == "persons":
        return rng.uniform(0.2, 0.85) * h * bw / bh
    return min(rng.uniform(0.12, 0.75) * w, 0.9 * h * bw / bh)


def place(rng, cutout, width, w, h):
    """Where its foot stands: the larger, the lower; partly out of the picture now and then."""
    tall = width * (cutout.box[3] - cutout.box[1]) / (cutout.box[2] - cutout.box[0])
    out = 1 - INSIDE if rng.random() < 0.25 else 0.0
    x = rng.uniform(width * (0.5 - out), w - width * (0.5 - out))
    y = rng.uniform(max(tall, 0.4 * h), max(h, tall) + (out * tall if rng.random() < 0.4 else 0))
    return x, min(y, h + out * tall)


def add(rng, canvas, boxes, cutouts, stalls=None):
    """Draws stalls and others into `canvas` (uint8 RGB, in place); all boxes [n,5] in px that can still be seen."""
    h, w = canvas.shape[:2]
    kinds = [c for c in cutouts if c.stall], [c for c in cutouts if not c.stall]
    counts = rng.choice(COUNT, p=CHANCES) if stalls is None else stalls, rng.choice(OTHERS, p=OTHER_CHANCES)
    chosen = [kind[rng.integers(len(kind))] for kind, n in zip(kinds, counts) for _ in range(n) if kind]
    shrink = 1.0 if counts[0] < 2 else 0.62
    spots = []
    for c in chosen:
        width = size_of(rng, c, w, h) * shrink
        spots.append((c, width, place(rng, c, width, w, h)))
    spots.sort(key=lambda s: s[2][1])  # the nearer before the farther
    rows = [(row, area(row[1:])) for row in boxes]
    seen = []
    for c, width, foot in spots:
        at, mask = paint(rng, canvas, c, width, foot)
        for entry in seen:
            entry[1] &= ~mask
        rows = [(row, left - covered(mask, row[1:])) for row, left in rows]
        if c.stall:
            seen.append([at, mask, mask.sum()])
    kept = [row for row, left in rows if left > (1 - COVERED) * area(row[1:])]
    for at, mask, whole in seen:
        cut = np.clip(at, 0, [w, h, w, h])
        if whole and mask.sum() > (1 - COVERED) * whole and min(cut[2:] - cut[:2]) > 8:
            kept.append(np.concatenate([[STALL], cut]))
    return np.array(kept, np.float32).reshape(-1, 5)


def area(b):
    return float((b[2] - b[0]) * (b[3] - b[1]))


def covered(mask, b):
    x0, y0, x1, y1 = (int(max(0, v)) for v in b)
    return float(mask[y0:y1, x0:x1].sum())
