"""What lies for sale: heaps of fruit, greens, packets, bottles, shoes, clothes, toys, pots; and the cloths and signs around it.

Each function returns a Mesh (test-videos/maker/mesh.py) on z = 0 around the origin, within `w` by `d` metres. `uv` is a place in
the atlas of sprites.py: (0, 0) is white, cells after the first hold pieces of photographs, for the print on packets.
Owns: small things. Must not know: how a stall is put together, rendering.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test-videos"))
from maker.mesh import Mesh, blob, box, grid, soup, tube  # noqa: E402

CELLS = 8  # of the atlas, a side


def vivid(rng):
    """A colour that wants to be seen: hue anywhere, often strong, linear RGB."""
    hue, strong, value = rng.uniform(0, 6), rng.beta(2, 1.2), rng.uniform(0.06, 0.85)
    rgb = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return value * (1 - strong * (1 - rgb)) ** 1.6


FRUIT = ((0.75, 0.24, 0.02), (0.55, 0.03, 0.02), (0.30, 0.45, 0.04), (0.80, 0.55, 0.05), (0.10, 0.02, 0.05), (0.06, 0.16, 0.04), (0.70, 0.50, 0.25),
         (0.65, 0.12, 0.10), (0.22, 0.13, 0.06), (0.55, 0.05, 0.15), (0.80, 0.75, 0.60))


def ripe(rng):
    """A colour of fruit, mostly."""
    return np.array(FRUIT[rng.integers(len(FRUIT))]) * rng.uniform(0.6, 1.2) if rng.random() < 0.8 else vivid(rng)


def dull(rng):
    """Steel, wood, plastic, cloth that has seen weather."""
    base = [(0.30, 0.21, 0.12), (0.16, 0.10, 0.06), (0.35, 0.36, 0.37), (0.07, 0.07, 0.08), (0.05, 0.14, 0.32), (0.45, 0.44, 0.40),
            (0.30, 0.05, 0.04), (0.04, 0.16, 0.09)]
    return np.array(base[rng.integers(len(base))]) * rng.uniform(0.6, 1.4)


def packet(rng, size, at, yaw=0.0, printed=0.7):
    """A box with a piece of a photograph as its print, or plain."""
    x, y, z = np.asarray(size) / 2
    corners = np.array([[sx, sy, sz] for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)], float)
    faces = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    uv, col = np.zeros((8, 2)), vivid(rng)
    if rng.random() < printed:
        cell = rng.integers(1, CELLS * CELLS)
        inner = np.stack([corners[:, 0] * 0.6 + corners[:, 1] * 0.35, corners[:, 2] * 0.6 + corners[:, 1] * 0.3], 1) * 0.5 + 0.5
        uv = (np.array([cell % CELLS, cell // CELLS]) + np.clip(inner, 0.03, 0.97)) / CELLS
        col = np.clip(col * 0.5 + 0.5, 0, 1)
    return soup(corners * [x, y, z], faces, col, smooth=False, uv=uv, gloss=rng.uniform(0, 0.5), noise=0.1).moved((at[0], at[1], at[2] + z), yaw)


def places(rng, w, d, step, jitter=0.15):
    """Points of a jittered grid within w by d."""
    nx, ny = max(1, int(w / step)), max(1, int(d / step))
    for i in range(nx):
        for j in range(ny):
            x = ((i + 0.5) / nx - 0.5) * w + rng.normal(0, jitter * step)
            y = ((j + 0.5) / ny - 0.5) * d + rng.normal(0, jitter * step)
            yield float(np.clip(x, -w / 2, w / 2)), float(np.clip(y, -d / 2, d / 2))


def heap(rng, w, d):
    """Round fruit: layers that grow smaller, or a loose cone."""
    r = rng.uniform(0.028, 0.06) if rng.random() < 0.85 else rng.uniform(0.09, 0.14)
    col, second = ripe(rng), ripe(rng) if rng.random() < 0.2 else None
    shape = (2, 2, rng.uniform(1.6, 2.4)) if rng.random() < 0.8 else (3.2, 1.6, 1.6)
    ball = blob(np.array(shape) * r, (1, 1, 1), int(rng.integers(99)), lump=0.03, rows=5, cols=7, flat_bottom=0, gloss=rng.uniform(0, 0.5))
    parts = []
    for layer in range(int(rng.integers(1, 4))):
        shrink = 1 - 0.3 * layer
        for x, y in places(rng, w * shrink, d * shrink, 1.9 * r):
            one = ball.moved((x, y, layer * 1.35 * r + rng.uniform(0, 0.2) * r), yaw=rng.uniform(0, 6.3))
            tint = second if second is not None and rng.random() < 0.4 else col
            parts.append(one.painted(np.clip(tint * rng.uniform(0.7, 1.25) + rng.normal(0, 0.015, 3), 0.003, 1)))
        if len(parts) > 260:
            break
    return Mesh.join(parts)


def greens(rng, w, d):
    """Bunches of leaves and stalks, side by side."""
    parts, tint = [], np.array([(0.06, 0.17, 0.03), (0.16, 0.30, 0.05), (0.30, 0.38, 0.16), (0.10, 0.13, 0.03)][rng.integers(4)])
    for x, y in places(rng, w, d, 0.13):
        size = rng.uniform([0.08, 0.16, 0.06], [0.16, 0.32, 0.13])
        parts.append(blob(size, tint * rng.uniform(0.5, 1.5), int(rng.integers(999)), lump=0.3, rows=6, cols=8, noise=1.0)
                     .moved((x, y, 0), yaw=rng.normal(0, 0.4)))
    return Mesh.join(parts)


def packets(rng, w, d):
    """Boxes and packets in rows, some stacked."""
    size, parts = rng.uniform([0.05, 0.04, 0.06], [0.20, 0.16, 0.26]), []
    same = rng.random() < 0.5
    for x, y in places(rng, w, d, float(size[:2].max()) * 1.1, 0.05):
        if rng.random() < 0.07:
            continue
        s = size * (1 if same else rng.uniform(0.6, 1.3, 3))
        for k in range(int(rng.integers(1, 3))):
            parts.append(packet(rng, s, (x, y, k * s[2]), yaw=rng.normal(0, 0.08)))
    return Mesh.join(parts)


def bottles(rng, w, d):
    """Bottles, jars or tins."""
    h, r = rng.uniform(0.12, 0.34), rng.uniform(0.025, 0.05)
    neck = rng.random() < 0.7
    parts = []
    for x, y in places(rng, w, d, 2.5 * r, 0.06):
        if rng.random() < 0.1:
            continue
        col = vivid(rng)
        parts.append(tube((x, y, 0), (x, y, h * 0.68), r, r, col, sides=7, gloss=0.6))
        if neck:
            parts.append(tube((x, y, h * 0.68), (x, y, h), r, r * 0.35, col * 0.8, sides=7, gloss=0.6))
    return Mesh.join(parts)


def shoes(rng, w, d):
    parts = []
    for x, y in places(rng, w, d, 0.24, 0.05):
        col = vivid(rng) if rng.random() < 0.6 else dull(rng)
        for s in (-1, 1):
            one = Mesh.join([blob((0.09, 0.25, 0.08), col, int(rng.integers(99)), lump=0.1, rows=6, cols=8, gloss=0.3),
                             blob((0.09, 0.12, 0.13), col * 0.8, int(rng.integers(99)), lump=0.1, rows=6, cols=8).moved((0, 0.06, 0))])
            parts.append(one.moved((x + s * 0.055, y, 0), yaw=rng.normal(0, 0.1)))
    return Mesh.join(parts)


def folded(rng, w, d):
    """Stacks of folded clothes."""
    parts = []
    for x, y in places(rng, w, d, 0.3, 0.06):
        for k in range(int(rng.integers(1, 6))):
            size = rng.uniform([0.2, 0.2, 0.025], [0.28, 0.28, 0.05])
            parts.append(box((x, y, 0.025 + k * 0.04), size, vivid(rng), yaw=rng.normal(0, 0.12), noise=0.6))
    return Mesh.join(parts)


def toys(rng, w, d):
    """A medley of small things of all shapes."""
    parts = []
    for x, y in places(rng, w, d, rng.uniform(0.09, 0.2), 0.3):
        s, kind = rng.uniform(0.04, 0.13), rng.integers(4)
        if kind == 0:
            parts.append(packet(rng, (s, s * rng.uniform(0.5, 1.5), s * rng.uniform(0.3, 1.6)), (x, y, 0), rng.uniform(0, 3)))
        elif kind == 1:
            parts.append(blob((s, s, s * rng.uniform(0.6, 1.8)), vivid(rng), int(rng.integers(999)), lump=0.25, rows=6, cols=8).moved((x, y, 0)))
        elif kind == 2:
            parts.append(tube((x, y, 0), (x, y, s * 1.5), s / 2, s / 2 * rng.uniform(0.2, 1.2), vivid(rng), sides=8, gloss=0.3))
        else:
            parts.append(box((x, y, 0.01), (s * 1.5, s, 0.02), vivid(rng), yaw=rng.uniform(0, 3)))
    return Mesh.join(parts)


def pots(rng, w, d):
    """Pots, steamers, trays and buckets: food, flowers."""
    parts = []
    for x, y in places(rng, w, d, 0.34, 0.06):
        r, h = rng.uniform(0.1, 0.16), rng.uniform(0.06, 0.3)
        col = dull(rng)
        parts.append(tube((x, y, 0), (x, y, h), r * rng.uniform(0.7, 1), r, col, sides=14, gloss=0.5))
        fill = vivid(rng)
        if rng.random() < 0.4:
            for _ in range(12):
                at = rng.normal(0, r * 0.5, 2)
                parts.append(blob((0.09, 0.09, rng.uniform(0.1, 0.3)), fill * rng.uniform(0.6, 1.3), int(rng.integers(99)), lump=0.3, rows=5, cols=6)
                             .moved((x + at[0], y + at[1], h)))
        else:
            parts.append(blob((1.8 * r, 1.8 * r, 0.1), fill, int(rng.integers(99)), lump=0.2, rows=6, cols=12, noise=0.8).moved((x, y, h - 0.03)))
    return Mesh.join(parts)


def crates(rng, w, d):
    """Open crates or baskets, each with something in it."""
    parts, size = [], rng.uniform([0.38, 0.28, 0.12], [0.58, 0.42, 0.28])
    wall = vivid(rng) if rng.random() < 0.5 else dull(rng)
    for x, y in places(rng, w, d, float(size[0]) * 1.05, 0.03):
        cx, cy, cz = size
        one = [box((0, s * cy / 2, cz / 2), (cx, 0.02, cz), wall) for s in (-1, 1)] + [box((s * cx / 2, 0, cz / 2), (0.02, cy, cz), wall) for s in (-1, 1)]
        inside = [heap, heap, greens, packets, toys][rng.integers(5)](rng, cx * 0.88, cy * 0.88)
        one += [box((0, 0, cz * 0.3), (cx * 0.97, cy * 0.97, cz * 0.6), wall * 0.5), inside.moved((0, 0, cz * rng.uniform(0.55, 0.85)))]
        parts.append(Mesh.join(one).moved((x, y, 0), yaw=rng.normal(0, 0.05), roll=rng.choice([0.0, 0.0, -0.15])))
    return Mesh.join(parts)


SMALL = (heap, heap, greens, packets, bottles, shoes, folded, toys, toys, pots)


def display(rng, w, d, kinds=SMALL):
    """One to four sorts side by side."""
    n = int(rng.integers(1, 5))
    cuts = np.linspace(-0.5, 0.5, n + 1) * w
    parts = []
    for a, b in zip(cuts, cuts[1:]):
        part = kinds[rng.integers(len(kinds))](rng, (b - a) * 0.94, d * 0.94)
        if len(part):
            parts.append(part.moved(((a + b) / 2, 0, 0)))
    return Mesh.join(parts)


def cloth_colours(rng, rows, cols):
    """Colours of a woven or printed cloth: plain, stripes, checks, flowers."""
    a, b = vivid(rng), vivid(rng) if rng.random() < 0.7 else np.full(3, 0.75)
    i, j = np.mgrid[0:rows, 0:cols]
    n, kind = int(rng.integers(2, 7)), rng.integers(5)
    mask = {0: np.zeros((rows, cols)), 1: (j // n) % 2, 2: ((i // n) + (j // n)) % 2, 3: rng.random((rows, cols)) < 0.25, 4: (i // n) % 2}[int(kind)]
    return a + (b - a) * mask[..., None]


def sheet(rng, w, d, sag=0.01):
    """A cloth on the ground or on a table, wavy at its edges."""
    rows, cols = 24, 32
    x, y = np.meshgrid(np.linspace(-w / 2, w / 2, cols), np.linspace(-d / 2, d / 2, rows))
    wave = sum(rng.uniform(0, sag) * np.sin(x * rng.uniform(2, 9) + y * rng.uniform(2, 9) + rng.uniform(0, 6)) for _ in range(4))
    edge = rng.normal(0, 0.008, (rows, cols, 2)).cumsum(0) * 0.4
    return grid(np.stack([x + edge[..., 0], y + edge[..., 1], 0.012 + np.abs(wave)], -1), cloth_colours(rng, rows, cols), noise=0.5)


def sign(rng, w, h):
    """A board that faces -y with strokes that look like writing from afar, standing on z = 0."""
    rows, cols = 16, 60
    ground, ink = (vivid(rng), np.full(3, 0.75)) if rng.random() < 0.6 else (np.full(3, 0.7), vivid(rng) * 0.5)
    col = np.tile(ground, (rows, cols, 1))
    n = int(rng.integers(2, 7))
    for k in range(n):
        x0, x1 = int((k + 0.15) / n * cols), int((k + 0.85) / n * cols)
        for _ in range(6):
            if rng.random() < 0.5:
                col[rng.integers(3, rows - 3), x0:x1] = ink
            else:
                col[3:rows - 3, rng.integers(x0, max(x0 + 1, x1))] = ink
    x, z = np.meshgrid(np.linspace(-w / 2, w / 2, cols), np.linspace(0, h, rows))
    return grid(np.stack([x, np.zeros_like(x), z], -1), col, noise=0.1)


def hanging(rng, w, h):
    """Clothes or bags on a line at height h, between -w/2 and w/2."""
    parts, bags = [], rng.random() < 0.3
    for x in np.arange(-w / 2, w / 2, rng.uniform(0.07, 0.16)):
        long = rng.uniform(0.25, 0.45) if bags else rng.uniform(0.5, 1.0)
        parts.append(blob((0.06, rng.uniform(0.25, 0.48), min(long, h * 0.8)), vivid(rng), int(rng.integers(9999)), lump=0.1, rows=7, cols=9, noise=0.6)
                     .moved((x, 0, h - min(long, h * 0.8)), yaw=rng.normal(0, 0.2)))
    return Mesh.join(parts)
