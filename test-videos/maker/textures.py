"""Surface pictures of the static scene, made from noise and rectangles with fixed seeds.

Each returns (rows, columns, 3) float32, linear, to be multiplied by the surface's colour.
"""

import cv2
import numpy as np


def clouds(shape, seed, octaves=6, first=4):
    """Fractal noise in 0..1 that tiles roughly."""
    rng = np.random.default_rng(seed)
    out, total = np.zeros(shape), 0.0
    for k in range(octaves):
        n = first * 2**k
        small = rng.random((max(2, n * shape[0] // shape[1]), n)).astype(np.float32)
        out += cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC) / 1.7**k
        total += 1 / 1.7**k
    return np.clip(out / total, 0, 1)


def rgb(grey, tint=(1, 1, 1)):
    return (grey[..., None] * np.asarray(tint)).astype(np.float32)


def asphalt(seed=1):
    rng = np.random.default_rng(seed)
    base = 0.75 + 0.5 * (clouds((1024, 1024), seed) - 0.5) + rng.normal(0, 0.13, (1024, 1024))
    for _ in range(5):  # patched cracks
        p = np.cumsum(rng.normal(0, 24, (18, 2)), axis=0) + rng.uniform(0, 1024, 2)
        cv2.polylines(base, [p.astype(np.int32)], False, 0.5, 2)
    return rgb(np.clip(base, 0.3, 1.3))


def pavers(seed=2, rows=8, cols=4):
    """Slabs in running bond over a 2 m x 2 m repeat."""
    rng = np.random.default_rng(seed)
    n = 1024
    out = np.ones((n, n))
    h, w = n // rows, n // cols
    for r in range(rows):
        for c in range(-1, cols):
            x = int((c + (0.5 if r % 2 else 0)) * w)
            out[r * h:(r + 1) * h, max(x, 0):max(x + w, 0)] = rng.uniform(0.82, 1.08)
            cv2.rectangle(out, (x, r * h), (x + w, r * h + h), 0.45, 3)
    out *= 0.75 + 0.5 * clouds((n, n), seed + 1, first=3)
    out += rng.normal(0, 0.04, (n, n))
    return rgb(out)


def bricks(seed=3):
    rng = np.random.default_rng(seed)
    n, rows, cols = 1024, 14, 5
    out = np.full((n, n, 3), (0.75, 0.72, 0.68))
    h, w = n / rows, n / cols
    for r in range(rows):
        for c in range(-1, cols):
            x = (c + (0.5 if r % 2 else 0)) * w
            tone = np.array((1, 0.95, 0.9)) * rng.uniform(0.65, 1.15)
            cv2.rectangle(out, (int(x) + 4, int(r * h) + 4), (int(x + w) - 4, int((r + 1) * h) - 4), tone.tolist(), -1)
    return (out * (0.8 + 0.4 * clouds((n, n), seed)[..., None])).astype(np.float32)


def plaster(seed=4):
    stain = clouds((512, 512), seed, first=3) * np.linspace(1.05, 0.8, 512)[::-1, None]
    return rgb(0.7 + 0.5 * stain)


def shutter(seed=5):
    x = np.linspace(0, 40 * np.pi, 1024)
    return rgb(np.tile((0.75 + 0.25 * np.sin(x))[:, None], (1, 256)) * (0.85 + 0.3 * clouds((1024, 256), seed)))


def sign(words, ground, ink, seed=6):
    """A shop sign; ground and ink are linear colours."""
    image = np.full((160, 1024, 3), ground, np.float32)
    cv2.rectangle(image, (8, 8), (1015, 151), tuple(float(i) for i in ink), 4)
    size, _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_DUPLEX, 3.2, 8)
    scale = 3.2 * min(1.0, 940 / size[0])
    size, _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_DUPLEX, scale, 8)
    cv2.putText(image, words, ((1024 - size[0]) // 2, 80 + size[1] // 2), cv2.FONT_HERSHEY_DUPLEX, scale,
                tuple(float(i) for i in ink), 8, cv2.LINE_AA)
    return image[::-1] * (0.9 + 0.2 * clouds((160, 1024), seed)[..., None])


def display(seed=7):
    """What one sees through a shop window: dim shelves with goods."""
    rng = np.random.default_rng(seed)
    image = np.full((512, 1024, 3), 0.05, np.float32) * (0.5 + clouds((512, 1024), seed)[..., None])
    for shelf in range(5):
        y = 60 + shelf * 90
        x = 10
        while x < 1000:
            w, h = rng.integers(12, 60), rng.integers(20, 76)
            col = rng.uniform(0.02, 0.35, 3)
            cv2.rectangle(image, (x, y), (x + int(w), y + int(h)), col.tolist(), -1)
            x += int(w) + int(rng.integers(2, 14))
        cv2.rectangle(image, (0, y - 8), (1024, y), (0.10, 0.09, 0.08), -1)
    reflection = np.clip(clouds((512, 1024), seed + 1, first=3) - 0.45, 0, 1)[..., None] * (0.10, 0.11, 0.12)
    return (cv2.GaussianBlur(image, (0, 0), 2) * 0.6 + reflection).astype(np.float32)


def by_name(name):
    """'pavers:2', 'sign:TEA HOUSE:red' and so on."""
    kind, *rest = name.split(":")
    inks = {"red": ((0.42, 0.02, 0.02), (0.85, 0.75, 0.3)), "green": ((0.02, 0.16, 0.05), (0.9, 0.9, 0.85)),
            "blue": ((0.02, 0.07, 0.28), (0.9, 0.9, 0.9)), "white": ((0.7, 0.7, 0.66), (0.35, 0.02, 0.02)),
            "brown": ((0.10, 0.05, 0.02), (0.75, 0.6, 0.3))}
    if kind == "sign":
        return sign(rest[0], *inks[rest[1]], seed=len(rest[0]))
    return {"asphalt": asphalt, "pavers": pavers, "bricks": bricks, "plaster": plaster, "shutter": shutter,
            "display": display}[kind](*(int(r) for r in rest))
