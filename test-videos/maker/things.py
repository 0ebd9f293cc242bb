"""Things on a street: bags, boxes, furniture, vehicles, stalls, trees, street furniture.

Each function returns a Mesh that stands on z = 0 around the origin, front towards +x.
"""

import numpy as np

from .mesh import Mesh, blob, box, fan, grid, quad, tube

DARK, RUBBER, STEEL = (0.02, 0.02, 0.022), (0.018, 0.018, 0.02), (0.45, 0.46, 0.48)


def bag(seed=0, size=(0.52, 0.46, 0.55), col=(0.014, 0.014, 0.017), gloss=0.35):
    """A full rubbish bag: sagging belly, folds that run up to the tied neck, a loose frill."""
    rng = np.random.default_rng(seed)
    rows, cols = 16, 28
    up = np.linspace(0, 1, rows)
    belly = np.interp(up, [0, .06, .25, .5, .72, .86, .93, .97, 1], [0, .80, 1.0, .95, .66, .28, .13, .17, .21])
    phi = np.linspace(0, 2 * np.pi, cols, endpoint=False)
    waves = [(int(rng.integers(2, 10)), rng.uniform(0, 6.3), rng.uniform(.02, .05)) for _ in range(6)]
    fold = sum(a * np.sin(n * phi + p) for n, p, a in waves)
    lumps = sum(0.05 * np.sin(k * phi[None] + rng.uniform(0, 6.3) + 7 * k * up[:, None]) for k in (2, 3, 5))
    radius = belly[:, None] * (1 + fold[None] * (0.4 + up[:, None]) + lumps)
    lean = rng.uniform(-.07, .07, 2)
    points = np.stack([radius * np.cos(phi) * size[0] / 2 + lean[0] * up[:, None] ** 2, radius * np.sin(phi) * size[1] / 2 + lean[1] * up[:, None] ** 2,
                       np.repeat(up[:, None] * size[2], cols, 1) + 0.02 * lumps * up[:, None]], -1)
    return grid(points, col, closed_u=True, gloss=gloss, noise=0.9)


def carton(size=(0.5, 0.38, 0.34), seed=0):
    col = (0.36, 0.235, 0.125)
    parts = [box((0, 0, size[2] / 2), size, col, noise=0.25),
             box((0, 0, size[2] + 0.002), (size[0] * 0.98, 0.05, 0.004), (0.48, 0.38, 0.22), noise=0.1)]
    flap = box((0, size[1] * 0.6, size[2] + 0.05), (size[0], 0.012, 0.13), col, noise=0.25)
    return Mesh.join(parts + ([flap] if seed % 2 else []))


def bin_(col=(0.03, 0.12, 0.06)):
    """A wheeled bin with its lid shut."""
    parts = [tube((0, 0, 0.06), (0, 0, 0.92), 0.24, 0.31, col, sides=4, gloss=0.3),
             box((0, 0, 0.97), (0.52, 0.5, 0.09), col, gloss=0.35)]
    body = Mesh.join([parts[0].moved(yaw=np.pi / 4), parts[1]])
    wheels = [tube((-0.2, s * 0.2, 0.09), (-0.2, s * 0.25, 0.09), 0.09, 0.09, RUBBER) for s in (-1, 1)]
    return Mesh.join([body] + wheels)


def stool(col=(0.55, 0.03, 0.03)):
    parts = [box((0, 0, 0.42), (0.3, 0.3, 0.04), col, gloss=0.3)]
    parts += [tube((x * 0.15, y * 0.15, 0), (x * 0.11, y * 0.11, 0.42), 0.022, 0.022, col, sides=6)
              for x in (-1, 1) for y in (-1, 1)]
    return Mesh.join(parts)


def table(size=(1.5, 0.75), height=0.74, cloth=None):
    parts = [box((0, 0, height), (*size, 0.04), (0.5, 0.5, 0.5))]
    parts += [tube((x * size[0] * 0.46, y * size[1] * 0.44, 0), (x * size[0] * 0.46, y * size[1] * 0.44, height), 0.02, 0.02,
                   STEEL, sides=6, gloss=0.5) for x in (-1, 1) for y in (-1, 1)]
    if cloth is not None:
        t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        sup = lambda a: np.sign(a) * np.abs(a) ** 0.3
        ring = np.stack([sup(np.cos(t)) * size[0] * 0.51, sup(np.sin(t)) * size[1] * 0.53], 1)
        wave = 1 + 0.02 * np.sin(t * 17)
        rows = [np.c_[ring * s, np.full(48, z)] for s, z in ((0.0, height + 0.03), (0.99, height + 0.03), (1.0, height))]
        rows.append(np.c_[ring * wave[:, None] * 1.02, np.full(48, height - 0.42)])
        parts.append(grid(np.stack(rows)[:, ::-1], cloth, closed_u=True, noise=0.5))
    return Mesh.join(parts)


def parasol(col=(0.62, 0.04, 0.04), second=(0.75, 0.72, 0.65), radius=1.35, height=2.25):
    ribs, rows = 8, 5
    colours, points = [], []
    for k in range(rows):
        f = k / (rows - 1)
        t = np.arange(ribs * 4) / (ribs * 4) * 2 * np.pi
        sag = 1 - 0.035 * f * np.sin(np.arange(ribs * 4) % 4 / 4 * np.pi)
        points.append(np.stack([np.cos(t) * radius * f * sag, np.sin(t) * radius * f * sag,
                                np.full(t.shape, height - 0.45 * f**1.4)], 1))
        stripe = (np.arange(ribs * 4) // 4) % 2
        colours.append(np.where(stripe[:, None] == 0, col, second))
    points, colours = np.array(points), np.array(colours)
    top = grid(points[:, ::-1], colours[:, ::-1], closed_u=True, noise=0.3)
    rim = points[-1]
    valance = grid(np.stack([rim, rim - [0, 0, 0.16]])[:, ::-1], np.stack([colours[-1]] * 2)[:, ::-1], closed_u=True, noise=0.3)
    pole = tube((0, 0, 0), (0, 0, height + 0.05), 0.022, 0.02, (0.6, 0.6, 0.6), gloss=0.4)
    foot = box((0, 0, 0.04), (0.42, 0.42, 0.08), (0.25, 0.25, 0.25))
    return Mesh.join([top, valance, pole, foot])


def crate(fruit=(0.75, 0.25, 0.02), seed=0, size=(0.52, 0.36, 0.2)):
    rng = np.random.default_rng(seed)
    wood = (0.10, 0.22, 0.42) if seed % 3 == 0 else (0.42, 0.30, 0.16)
    x, y, z = size
    parts = [box((0, s * y / 2, z / 2), (x, 0.02, z), wood) for s in (-1, 1)]
    parts += [box((s * x / 2, 0, z / 2), (0.02, y, z), wood) for s in (-1, 1)]
    parts.append(box((0, 0, z * 0.6), (x * 0.96, y * 0.96, 0.02), fruit))
    for i in np.linspace(-0.4, 0.4, 6):
        for j in np.linspace(-0.36, 0.36, 4):
            r = 0.085 * rng.uniform(0.85, 1.15)
            tint = np.array(fruit) * rng.uniform(0.75, 1.2)
            ball = blob((r, r, r), tint, seed, lump=0.0, rows=5, cols=7, flat_bottom=0, gloss=0.2)
            parts.append(ball.moved((i * x + rng.normal(0, .008), j * y, z * 0.62 + rng.uniform(0, 0.02))))
    return Mesh.join(parts)


def fruit_stall(seed=0, cloth=(0.50, 0.05, 0.06), canopy=True):
    """Table with fruit, crates in front, a parasol. Front (buyers) towards -y."""
    colours = [(0.75, 0.24, 0.02), (0.55, 0.03, 0.02), (0.30, 0.45, 0.04), (0.80, 0.55, 0.05), (0.25, 0.03, 0.10)]
    parts = [table(cloth=cloth)]
    parts += [crate(colours[(i + seed) % 5], seed + i).moved((-0.5 + 0.5 * i, 0, 0.77), yaw=np.pi / 2) for i in range(3)]
    parts += [crate(colours[(i + 2 + seed) % 5], seed + 3 + i).moved((-0.62 + 0.62 * i, -0.62, 0), roll=-0.1) for i in range(3)]
    if canopy:
        parts.append(parasol().moved((0.1, 0.55, 0)))
    return Mesh.join(parts)


def rack(seed=0):
    """A clothes rack with garments."""
    rng = np.random.default_rng(seed)
    parts = [tube((-0.8, 0, 1.55), (0.8, 0, 1.55), 0.016, 0.016, STEEL, gloss=0.6)]
    for s in (-1, 1):
        parts += [tube((s * 0.8, 0, 0.05), (s * 0.8, 0, 1.55), 0.016, 0.016, STEEL), box((s * 0.8, 0, 0.04), (0.04, 0.5, 0.04), STEEL)]
    for x in np.linspace(-0.7, 0.7, 15):
        col = rng.uniform(0.03, 0.6, 3) ** 1.5
        length = rng.uniform(0.6, 0.95)
        parts.append(blob((0.07, 0.44, length), col, int(x * 100) + 99, lump=0.08, rows=8, cols=10, noise=0.6)
                     .moved((x, 0, 1.5 - length)))
    return Mesh.join(parts)


def mat_goods(seed=0, size=(1.6, 1.1)):
    """A cloth on the ground with small goods on it."""
    rng = np.random.default_rng(seed)
    parts = [box((0, 0, 0.008), (*size, 0.012), (0.06, 0.10, 0.30), noise=0.4)]
    for i in np.linspace(-0.42, 0.42, 6):
        for j in np.linspace(-0.36, 0.36, 4):
            col = rng.uniform(0.02, 0.7, 3)
            parts.append(box((i * size[0], j * size[1], 0.06), (*rng.uniform(0.08, 0.17, 2), rng.uniform(0.04, 0.16)), col,
                             yaw=rng.uniform(-.4, .4), gloss=0.2))
    return Mesh.join(parts)


def loft(stations, col, sides=24, power=0.45, **kw):
    """A hull through cross-sections (x, half width, z low, z high)."""
    t = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    sup = lambda a, p: np.sign(a) * np.abs(a) ** p
    rows = []
    for x, w, lo, hi in stations:
        rows.append(np.stack([np.full(sides, x), sup(np.cos(t), power) * w,
                              (lo + hi) / 2 + sup(np.sin(t), power) * (hi - lo) / 2], 1))
    skin = grid(np.stack(rows), col, closed_u=True, **kw)
    ends = [fan(rows[0], (-1, 0, 0), np.asarray(col)[0] if np.ndim(col) == 3 else col, **kw),
            fan(rows[-1], (1, 0, 0), np.asarray(col)[-1] if np.ndim(col) == 3 else col, **kw)]
    return Mesh.join([skin] + ends)


def wheel(radius=0.32, width=0.2, turn=0.0):
    tyre = tube((0, -width / 2, 0), (0, width / 2, 0), radius, radius, RUBBER, sides=22, noise=0.3)
    parts = [tyre]
    for s in (-1, 1):
        y = s * (width / 2 + 0.004)
        parts.append(tube((0, y - 0.004, 0), (0, y + 0.004, 0), radius * 0.66, radius * 0.66, (0.33, 0.33, 0.35), sides=16, gloss=0.6))
        for k in range(5):
            a = turn + k * 2 * np.pi / 5
            parts.append(box((np.cos(a) * radius * 0.36, y + s * 0.006, np.sin(a) * radius * 0.36), (0.09, 0.006, 0.09), (0.05, 0.05, 0.05)))
    return Mesh.join(parts)


def glass_cabin(stations, body, sill, roof, pillars):
    """The upper part of a car: glass between sill and roof, body colour elsewhere."""
    fine = []
    for (a, b) in zip(stations[:-1], stations[1:]):
        for f in np.linspace(0, 1, 7)[:-1]:
            fine.append(tuple(np.array(a) * (1 - f) + np.array(b) * f))
    fine.append(stations[-1])
    sides, t = 40, np.linspace(0, 2 * np.pi, 40, endpoint=False)
    sup = lambda a, p: np.sign(a) * np.abs(a) ** p
    points, colours = [], []
    for x, w, lo, hi in fine:
        up = sup(np.sin(t), 0.5)
        z = (lo + hi) / 2 + up * (hi - lo) / 2
        narrow = 1 - 0.2 * np.clip((z - lo) / (hi - lo), 0, 1) ** 1.2
        points.append(np.stack([np.full(sides, x), sup(np.cos(t), 0.38) * w * narrow, z], 1))
        glass = (z > sill) & (z < roof(x))
        if any(abs(x - p) < 0.05 for p in pillars):
            glass &= np.abs(np.cos(t)) < 0.3
        colours.append(np.where(glass[:, None], (0.012, 0.015, 0.018), body))
    mesh = grid(np.array(points), np.array(colours), closed_u=True, gloss=0.9, noise=0.0).loose()
    corner = np.array(colours)  # one colour a quad: glass has an edge
    quads = np.median([corner[:-1], np.roll(corner, -1, 1)[:-1], corner[1:]], axis=0).reshape(-1, 3)
    mesh.col = np.repeat(np.concatenate([quads, quads]), 3, axis=0).astype(np.float32)
    return mesh


def car(col=(0.35, 0.36, 0.38), kind="sedan", turn=0.0, lights=False):
    """A sedan, a hatchback (`hatch`) or a minivan (`van`), about 4.5 m long, front at +x."""
    col = np.asarray(col, float)
    van, hatch = kind == "van", kind == "hatch"
    length = 4.5 if not hatch else 3.9
    h = length / 2
    hood = 1.02 if van else 0.93
    parts = [loft([(-h, .70, .42, .86), (-h + .10, .80, .30, .93 if not hatch else 0.98), (-h + .5, .87, .24, 1.0), (-0.6, .89, .22, .98),
                   (0.5, .89, .22, .97), (h - 1.0, .88, .22, hood), (h - .35, .84, .24, hood - .12), (h - .06, .76, .30, hood - .25),
                   (h, .66, .38, .62)], col, power=0.38, gloss=0.8, noise=0.0)]
    if van:
        cabin = [(-h + .05, .78, .8, 1.45), (-h + .2, .84, .8, 1.80), (-0.3, .86, .8, 1.88), (0.75, .84, .8, 1.80), (1.55, .78, .8, 1.05), (1.8, .74, .8, .95)]
        pillars, crown = (-h + .2, -0.75, 0.45), 1.70
    elif hatch:
        cabin = [(-h + .08, .74, .8, 1.05), (-h + .45, .80, .8, 1.46), (-0.2, .82, .8, 1.52), (0.35, .81, .8, 1.44), (1.15, .76, .8, .95)]
        pillars, crown = (-h + .5, -0.45, 0.5), 1.39
    else:
        cabin = [(-1.75, .72, .8, .98), (-1.15, .78, .8, 1.36), (-0.35, .80, .8, 1.45), (0.25, .80, .8, 1.40), (1.15, .75, .8, .95)]
        pillars, crown = (-1.2, -0.35, 0.45), 1.33
    parts.append(glass_cabin(cabin, col, 0.99, lambda x: crown, pillars))
    lamp = (0.9, 0.9, 0.85) if not lights else (6.0, 5.5, 4.5)
    rear = (0.35, 0.01, 0.01) if not lights else (2.0, 0.05, 0.03)
    for s in (-1, 1):
        parts.append(box((h - .17, s * .56, .66), (.2, .26, .12), lamp, gloss=0.6))
        parts.append(box((-h + .11, s * .60, .80), (.16, .2, .15), rear, gloss=0.5))
        parts.append(box((0.72 if not van else 1.0, s * .96, 1.02), (.12, .16, .10), col, gloss=0.5))
        parts.append(box((-0.15, s * .885, .62), (2.2, .012, .015), DARK))
        for x in (-h + .82, h - .85):
            parts.append(tube((x, s * .80, .33), (x, s * .893, .33), .395, .395, DARK, sides=20))
            parts.append(wheel(turn=turn).moved((x, s * .80, .32)))
    parts.append(box((h - .01, 0, .40), (.06, 1.2, .16), DARK))
    parts.append(box((h + .01, 0, .50), (.02, .44, .12), (0.02, 0.06, 0.35)))
    parts.append(box((-h + .0, 0, .62), (.03, .44, .12), (0.02, 0.06, 0.35)))
    return Mesh.join(parts)


def truck(col=(0.62, 0.62, 0.60), turn=0.0):
    """A small flatbed truck with open bed, 4.9 m."""
    parts = [loft([(0.75, .78, .45, 1.95), (0.85, .84, .40, 2.02), (1.9, .84, .38, 2.0), (2.28, .80, .36, 1.35), (2.45, .76, .36, 1.05)],
                  col, power=0.3, gloss=0.6, noise=0.0),
             box((1.55, 0, 1.55), (1.0, 1.695, .46), (0.012, 0.015, 0.018), gloss=0.9),
             quad([(2.22, -.68, 1.42), (2.22, .68, 1.42), (1.99, .66, 1.92), (1.99, -.66, 1.92)], (0.012, 0.015, 0.018), gloss=0.9),
             box((-0.9, 0, .80), (3.1, 1.66, .10), (0.10, 0.12, 0.16))]
    blue = (0.06, 0.12, 0.30)
    parts += [box((-0.9, s * .82, 1.02), (3.1, .04, .38), blue) for s in (-1, 1)]
    parts += [box((-2.44, 0, 1.02), (.04, 1.66, .38), blue), box((0.64, 0, 1.2), (.05, 1.66, .75), blue),
              box((-.3, 0, .55), (4.2, .7, .2), DARK)]
    for s in (-1, 1):
        parts += [wheel(.34, turn=turn).moved((x, s * .72, .34)) for x in (-1.5, 1.75)]
        parts.append(box((2.44, s * .55, .72), (.06, .26, .16), (0.9, .9, .85)))
        parts.append(box((-2.46, s * .6, .78), (.04, .2, .12), (0.4, .01, .01)))
    return Mesh.join(parts)


def tricycle(col=(0.05, 0.16, 0.32)):
    """An electric cargo tricycle, 2.6 m."""
    parts = [box((-0.5, 0, .62), (1.5, 1.0, .08), col), box((-1.23, 0, .8), (.04, 1.0, .32), col)]
    parts += [box((-0.5, s * .48, .8), (1.5, .04, .32), col) for s in (-1, 1)]
    parts += [wheel(.27, .12).moved((-0.7, s * .56, .27)) for s in (-1, 1)] + [wheel(.27, .1).moved((1.1, 0, .27))]
    parts += [tube((1.1, 0, .3), (.85, 0, 1.05), .03, .03, DARK), tube((.85, -.32, 1.05), (.85, .32, 1.05), .02, .02, DARK),
              tube((1.0, 0, .45), (.2, 0, .45), .05, .05, col), box((.42, 0, .72), (.38, .32, .12), DARK), box((.95, 0, .75), (.12, .4, .45), col, gloss=.4)]
    return Mesh.join(parts)


def trunk(height=3.2, seed=0):
    rng = np.random.default_rng(seed)
    lean = rng.normal(0, 0.05, 2)
    bark = (0.11, 0.085, 0.06)
    mid = (lean[0], lean[1], height * 0.55)
    parts = [tube((0, 0, 0), mid, 0.16, 0.12, bark, noise=0.9, caps=False)]
    for k in range(5):
        a = k * 2 * np.pi / 5 + rng.uniform(0, 1)
        end = (mid[0] + np.cos(a) * 0.9, mid[1] + np.sin(a) * 0.9, height * rng.uniform(0.85, 1.1))
        parts.append(tube(mid, end, 0.08, 0.03, bark, noise=0.9, sides=7, caps=False))
    return Mesh.join(parts)


def leaves(height=3.4, spread=1.5, count=1500, seed=0):
    """Loose leaves as small triangles; the stage sways them by `rest`."""
    rng = np.random.default_rng(seed)
    clumps = rng.normal(0, 1, (16, 3)) * [spread * .55, spread * .55, spread * .38] + [0, 0, height]
    centre = clumps[rng.integers(0, len(clumps), count)] + rng.normal(0, 1, (count, 3)) * spread * 0.2
    size = rng.uniform(0.07, 0.13, (count, 1, 1))
    corner = rng.normal(0, 1, (count, 3, 3)) * size
    pos = (centre[:, None] + corner).reshape(-1, 3)
    tint = np.array((0.045, 0.105, 0.022)) * rng.uniform(0.6, 1.7, (count, 1))
    flat = centre - [0, 0, height - 0.4]
    nrm = np.repeat(flat / np.linalg.norm(flat, axis=1, keepdims=True), 3, axis=0)
    col = np.repeat(tint, 3, axis=0)
    return Mesh(pos=pos, nrm=nrm, col=col, rest=np.repeat(centre, 3, axis=0), mat=np.tile([0.05, 0.3], (count * 3, 1)),
                uv=np.zeros((count * 3, 2)))


def swayed(mesh, time_s, amount_m):
    """Leaves moved by wind: slow sway of the crown, fast flutter of each leaf."""
    out = mesh.copy()
    r = mesh.rest
    high = np.clip((r[:, 2] - 1.6) / 2.0, 0, 1.5)
    gust = 0.6 + 0.4 * np.sin(time_s * 0.7) * np.sin(time_s * 0.23 + 1)
    slow = np.sin(time_s * 2.1 + r[:, 0] * 0.4) * gust + 0.35 * np.sin(time_s * 5.3 + r[:, 1] * 1.7 + r[:, 2])
    out.pos[:, 0] += (slow * high * amount_m).astype(np.float32)
    out.pos[:, 1] += (np.sin(time_s * 1.7 + r[:, 2]) * gust * high * amount_m * 0.5).astype(np.float32)
    out.pos += (np.sin(time_s * 9 + r * 23) * amount_m * 0.12 * gust).astype(np.float32)
    return out


def lamp_post(height=5.2, arm=1.2):
    grey = (0.2, 0.21, 0.22)
    return Mesh.join([tube((0, 0, 0), (0, 0, height), .075, .05, grey, gloss=.3), tube((0, 0, height), (arm, 0, height + .15), .04, .03, grey),
                      box((arm, 0, height + .12), (.55, .2, .08), grey)])


def bollard():
    return Mesh.join([tube((0, 0, 0), (0, 0, .85), .07, .07, (0.16, .16, .17), gloss=.2), tube((0, 0, .70), (0, 0, .76), .075, .075, (.75, .7, .1))])
