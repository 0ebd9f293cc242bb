"""Pictures and boxes of the training set, and what is done to them so that they resemble a camera on a pole.

Owns: reading YOLO folders, mosaics, geometry and light of the augmentation. Must not know: the network.
Every sample is a function of (seed, epoch, index): the same run sees the same pictures.
With cut-outs (compose.py) a share of the samples has rendered stalls and other things put into it.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

import compose

cv2.setNumThreads(1)

# Layouts of a sample, columns x rows, and their chances: near, two, four and six pictures in one.
LAYOUTS, CHANCES = ((1, 1), (2, 1), (2, 2), (3, 2)), (0.5, 0.2, 0.2, 0.1)
ASPECT = (1.0, 2.1)     # width over height that a picture is given; all were squeezed to squares by the packager
VISIBLE = 0.3           # a box of which less is left is dropped
SMALLEST_PX = 5.0
BLACK = 6               # a corner pixel at most so bright belongs to the void that shearing left


@dataclass
class Picture:
    name: str
    rgb: np.ndarray      # uint8 [H,W,3]
    half: np.ndarray     # the same at half size, for small scales
    boxes: np.ndarray    # float32 [n,5]: class, x0, y0, x1, y1 in 0..1


def read(folder, half=True):
    """All pictures of `folder`/images with `folder`/labels, in the order of their names."""
    out = []
    for path in sorted(Path(folder, "images").iterdir()):
        bgr = cv2.imread(str(path))
        if bgr is None:
            raise SystemExit(f"{path}: no picture")
        rgb = np.ascontiguousarray(bgr[:, :, ::-1])
        label = Path(folder, "labels", path.stem + ".txt")
        rows = [line.split() for line in label.read_text().splitlines() if line.strip()] if label.exists() else []
        rows = np.array(rows, np.float32).reshape(-1, 5)
        centre, side = rows[:, 1:3], rows[:, 3:5]
        boxes = np.concatenate([rows[:, :1], centre - side / 2, centre + side / 2], 1)
        small = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) if half else rgb
        out.append(Picture(path.stem, rgb, small, boxes))
    return out


def prepared(folder, store):
    """The training pictures, decoded once into `store`.npz and read from there after that."""
    path = Path(store).with_suffix(".npz")
    if not path.exists():
        pictures = read(folder)
        for p in pictures:
            fill_void(p.rgb)
            fill_void(p.half)
        part = path.with_suffix(".part.npz")
        np.savez(part, names=[p.name for p in pictures], rgb=[p.rgb for p in pictures], half=[p.half for p in pictures],
                 counts=[len(p.boxes) for p in pictures], boxes=np.concatenate([p.boxes for p in pictures]))
        part.replace(path)
    with np.load(path) as kept:
        ends = np.cumsum(kept["counts"])
        boxes = np.split(kept["boxes"], ends[:-1])
        return [Picture(*row) for row in zip(kept["names"].tolist(), kept["rgb"], kept["half"], boxes)]


def footage(path, count, side=448):
    """`count` frames of a video, evenly spaced, squeezed to squares as the packager squeezed the rest; no boxes."""
    video, out = cv2.VideoCapture(str(path)), []
    frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    for n in np.linspace(0, frames - 2, count).astype(int):
        video.set(cv2.CAP_PROP_POS_FRAMES, int(n))
        good, bgr = video.read()
        if good:
            rgb = cv2.resize(bgr, (side, side), interpolation=cv2.INTER_AREA)[:, :, ::-1]
            half = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            out.append(Picture(f"{Path(path).stem}-{n}", np.ascontiguousarray(rgb), half, np.zeros((0, 5), np.float32)))
    if not out:
        raise SystemExit(f"{path}: no frames")
    return out


def fill_void(rgb):
    """Paints the black wedges of sheared pictures in the picture's mean colour, so that they teach nothing."""
    h, w = rgb.shape[:2]
    mask = np.zeros((h + 2, w + 2), np.uint8)
    for x, y in ((0, 0), (w - 1, 0), (0, h - 1), (w - 1, h - 1)):
        if rgb[y, x].max() <= BLACK:
            cv2.floodFill(rgb, mask, (x, y), 0, (BLACK,) * 3, (BLACK,) * 3, 4 | cv2.FLOODFILL_MASK_ONLY)
    void = mask[1:-1, 1:-1] > 0
    if 0.002 < void.mean() < 0.5:
        rgb[void] = rgb[~void].mean(0).astype(np.uint8)
    return rgb


def homography(rng, cell, side, aspect, zoom):
    """Source px -> canvas px: the picture `zoom` times as high as its cell, shifted, tilted a little."""
    x0, y0, w, h = cell
    height = zoom * h
    width = height * aspect
    sx, sy = width / side, height / side
    free_x, free_y = w - width, h - height
    tx = x0 + rng.uniform(min(free_x, 0), max(free_x, 0))
    ty = y0 + rng.uniform(min(free_y, 0), max(free_y, 0))
    move = np.array([[sx, 0, tx], [0, sy, ty], [0, 0, 1]])
    if rng.random() < 0.5:
        return move
    angle, shear = np.deg2rad(rng.uniform(-5, 5)), rng.uniform(-0.08, 0.08)
    c, s = np.cos(angle), np.sin(angle)
    tilt = np.array([[c, shear - s, 0], [s, c, 0], [rng.uniform(-1, 1) * 1.5e-4, rng.uniform(-1, 1) * 4e-4, 1]])
    mid = np.array([[1, 0, tx + width / 2], [0, 1, ty + height / 2], [0, 0, 1]])
    return mid @ tilt @ np.linalg.inv(mid) @ move


def placed(boxes, matrix, side, cell):
    """Boxes under the homography, clipped to the cell; those of which too little is left are dropped."""
    if not len(boxes):
        return boxes
    b = boxes[:, 1:] * side
    corners = np.stack([b[:, [0, 1]], b[:, [2, 1]], b[:, [2, 3]], b[:, [0, 3]]], 1)
    p = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], 2) @ matrix.T
    p = p[..., :2] / p[..., 2:]
    lo, hi = p.min(1), p.max(1)
    x0, y0, w, h = cell
    clo = np.maximum(lo, [x0, y0])
    chi = np.minimum(hi, [x0 + w, y0 + h])
    left = np.prod(np.maximum(chi - clo, 0), 1) / np.maximum(np.prod(hi - lo, 1), 1e-6)
    keep = (left >= VISIBLE) & ((chi - clo).min(1) >= SMALLEST_PX)
    return np.concatenate([boxes[:, :1], clo, chi], 1)[keep].astype(np.float32)


def paste(rng, canvas, cell, picture, fill=False):
    """Draws one picture into its cell of the canvas; its boxes in canvas px. `fill`: it covers all of the cell but for its tilt."""
    x0, y0, w, h = cell
    near = canvas.shape[1] == w
    zoom = float(np.exp(rng.uniform(np.log(0.6 if near else 0.85), np.log(1.6))))
    aspect = rng.uniform(*ASPECT)
    zoom = max(zoom, 1.0, w / (h * aspect)) if fill else zoom
    source = picture.half if zoom * h < 0.6 * len(picture.rgb) else picture.rgb
    side = len(source)
    matrix = homography(rng, cell, side, aspect, zoom)
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, side - 1], [0, 1, 0], [0, 0, 1]])
    shift = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]]) @ matrix
    grey = tuple(int(v) for v in rng.integers(60, 180, 3))
    canvas[y0:y0 + h, x0:x0 + w] = cv2.warpPerspective(source, shift, (w, h), flags=cv2.INTER_LINEAR, borderValue=grey)
    return placed(picture.boxes, matrix, side, cell)


def cells(rng, width, height, columns, rows):
    """A grid with jittered lines; (x0, y0, w, h) of each cell."""
    cut = lambda size, n: [0, *(round(size * (k + rng.uniform(-0.2, 0.2)) / n) for k in range(1, n)), size]
    xs, ys = cut(width, columns), cut(height, rows)
    return [(xs[i], ys[j], xs[i + 1] - xs[i], ys[j + 1] - ys[j]) for j in range(rows) for i in range(columns)]


def light(rng, rgb):
    """Colour, gamma, night, infrared, blur, rain, noise and compression."""
    if rng.random() < 0.8:
        hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
        ramp = np.arange(256)
        gain = rng.uniform([-8, 0.5, 0.65], [8, 1.5, 1.35])
        hue = ((ramp + gain[0]) % 180).astype(np.uint8)
        other = [np.clip(ramp * g, 0, 255).astype(np.uint8) for g in gain[1:]]
        hsv = cv2.merge([cv2.LUT(p, t) for p, t in zip(cv2.split(hsv), (hue, *other))])
        rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    night = rng.random() < 0.1
    if night or rng.random() < 0.2:
        gamma = rng.uniform(1.6, 2.8) if night else rng.uniform(0.6, 1.6)
        top = rng.uniform(0.45, 0.9, 3) * (1.0, 0.95, 0.85) if night else np.ones(3)
        curve = (np.arange(256)[:, None] / 255.0) ** gamma * top * 255
        rgb = cv2.LUT(rgb, curve.astype(np.uint8).reshape(256, 1, 3))
    if rng.random() < 0.06:
        rgb = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.15:
        if rng.random() < 0.5:
            rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.5, 1.5))
        else:
            rgb = cv2.blur(rgb, (int(rng.integers(2, 6)), 1))
    if rng.random() < 0.05:
        rgb = rain(rng, rgb)
    if night or rng.random() < 0.08:
        noise = rng.normal(0, rng.uniform(2, 10), (*rgb.shape[:2], 1)) + rng.normal(0, 3, rgb.shape)
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        _, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 75))])
        rgb = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return rgb


def rain(rng, rgb):
    h, w = rgb.shape[:2]
    streaks = np.zeros((h, w), np.uint8)
    lean = rng.uniform(-4, 4)
    for x, y in zip(rng.integers(0, w, 120), rng.integers(0, h, 120)):
        cv2.line(streaks, (int(x), int(y)), (int(x + lean), int(y + rng.integers(6, 18))), 255, 1)
    alpha = cv2.blur(streaks, (2, 2))[..., None] * (rng.uniform(0.2, 0.5) / 255)
    return (rgb * (1 - alpha) + 200 * alpha).astype(np.uint8)


class Samples(torch.utils.data.Dataset):
    """Batches of augmented samples: uint8 [B,3,H,W], boxes [B,M,5] in px padded with class -1."""

    def __init__(self, pictures, size, batch, seed, epoch, mosaic=True, cutouts=(), composed=0.0):
        self.pictures, self.size, self.batch, self.seed, self.epoch = pictures, size, batch, seed, epoch
        self.cutouts, self.composed = cutouts, composed  # share of the samples with cut-outs in them
        self.chances = CHANCES if mosaic else (1.0, 0.0, 0.0, 0.0)

    def __len__(self):
        return len(self.pictures) // self.batch

    def __getitem__(self, n):
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.pictures))
        chosen = order[n * self.batch:(n + 1) * self.batch]
        made = [self.sample(np.random.default_rng([self.seed, self.epoch, int(i)]), i) for i in chosen]
        most = max(1, *(len(b) for _, b in made))
        boxes = np.zeros((len(made), most, 5), np.float32)
        boxes[..., 0] = -1
        for row, (_, b) in zip(boxes, made):
            row[:len(b)] = b
        images = np.stack([rgb for rgb, _ in made]).transpose(0, 3, 1, 2)
        return torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(boxes)

    def sample(self, rng, index):
        width, height = self.size
        composed = self.composed > 0 and rng.random() < self.composed
        columns, rows = LAYOUTS[rng.choice(len(LAYOUTS), p=(0.85, 0.15, 0, 0) if composed else self.chances)]
        canvas = np.empty((height, width, 3), np.uint8)
        boxes = []
        for n, cell in enumerate(cells(rng, width, height, columns, rows)):
            picture = self.pictures[index if n == 0 else rng.integers(len(self.pictures))]
            boxes.append(paste(rng, canvas, cell, picture, composed))
        boxes = np.concatenate(boxes)
        if composed:
            boxes = compose.add(rng, canvas, boxes, self.cutouts)
        return light(rng, canvas), boxes
