"""The forms of a street stall, and the things that are none: meshes from a seed.

`made(form, rng, people)` gives (structure, extras): the box of a label is that of the structure; extras are persons around it.
Front, where buyers stand, is towards -y. Owns: how stalls are put together. Must not know: rendering, pictures.
"""

import sys
from pathlib import Path

import numpy as np

import goods
from goods import display, dull, vivid

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test-videos"))
from maker import things  # noqa: E402
from maker.human import REACH, SIT, STAND, TALK, walk  # noqa: E402
from maker.mesh import Mesh, blob, box, grid, tube  # noqa: E402
from maker.people import person  # noqa: E402

CAST = 14  # persons; their clothes are dyed anew each time


def someone(rng, at, heading, pose=None):
    """A person in clothes of any colour, now and then with an apron."""
    pose = pose or (STAND, TALK, REACH, walk(rng.uniform(0, 1), 1.0))[rng.integers(4)]
    body, _ = person(int(rng.integers(CAST))).mesh(pose, (*at, 0.0), heading)
    out = body.copy()
    for colour in np.unique(out.col.round(3), axis=0):
        if rng.random() < 0.6 and not 0.35 < colour[0] < 0.6 and colour.max() > 0.03:  # not skin, not hair
            out.col[(out.col.round(3) == colour).all(1)] = vivid(rng) * rng.uniform(0.3, 1)
    return out


def attended(rng, w, d):
    """Perhaps a vendor behind or beside, perhaps buyers before it."""
    out = []
    if rng.random() < 0.65:
        if rng.random() < 0.45:
            x = rng.uniform(-w / 2, w / 2)
            out += [someone(rng, (x, d / 2 + 0.45), -np.pi / 2, SIT), things.stool(tuple(dull(rng))).moved((x, d / 2 + 0.5, 0))]
        else:
            out.append(someone(rng, (rng.uniform(-w / 2, w / 2), d / 2 + rng.uniform(0.3, 0.6)), -np.pi / 2 + rng.normal(0, 0.5)))
    for _ in range(int(rng.choice([0, 0, 0, 1, 2]))):
        out.append(someone(rng, (rng.uniform(-w / 2, w / 2), -d / 2 - rng.uniform(0.35, 0.8)), np.pi / 2 + rng.normal(0, 0.6)))
    return Mesh.join(out) if out else Mesh()


def shade(rng, w, d, height, col=None, kind=None):
    """A roof of cloth or sheet over w by d: flat, sloped, gabled or pyramid, with a valance."""
    rows, cols = 13, 25
    x, y = np.meshgrid(np.linspace(-w / 2, w / 2, cols), np.linspace(-d / 2, d / 2, rows))
    kind = kind or ("flat", "slope", "gable", "pyramid")[rng.integers(4)]
    rise = rng.uniform(0.2, 0.7)
    z = {"flat": 0 * x, "slope": rise * (y / d + 0.5), "gable": rise * (1 - np.abs(y) / d * 2),
         "pyramid": rise * (1 - np.maximum(np.abs(x) / w, np.abs(y) / d) * 2)}[kind]
    z = z - 0.03 * np.sin(np.pi * np.clip(x / w + 0.5, 0, 1) * rng.integers(1, 4)) ** 2
    colours = goods.cloth_colours(rng, rows, cols) if col is None else np.tile(col, (rows, cols, 1))
    points = np.stack([x, y, height + z], -1)
    parts = [grid(points, colours, noise=0.3)]
    if rng.random() < 0.6:
        rim = np.concatenate([points[0], points[1:, -1], points[-1, -2::-1], points[-2:0:-1, 0]])
        tint = np.concatenate([colours[0], colours[1:, -1], colours[-1, -2::-1], colours[-2:0:-1, 0]])
        drop = rng.uniform(0.1, 0.3) + 0.03 * (np.arange(len(rim)) % 4)
        low = rim - np.stack([0 * drop, 0 * drop, drop], 1)
        parts.append(grid(np.stack([low, rim]), np.stack([tint, tint]), closed_u=True, noise=0.3))
    return Mesh.join(parts)


def posts(w, d, height, col=(0.4, 0.4, 0.4), thick=0.02):
    return [tube((sx * w / 2, sy * d / 2, 0), (sx * w / 2, sy * d / 2, height), thick, thick, col, sides=6) for sx in (-1, 1) for sy in (-1, 1)]


def bench_top(rng, w, d):
    """A table or trestle, bare or under a cloth."""
    h = rng.uniform(0.45, 0.85)
    return things.table((w, d), h, tuple(vivid(rng)) if rng.random() < 0.55 else None), h + 0.035


def umbrella(rng, big=1.0):
    one = things.parasol(tuple(vivid(rng)), tuple(vivid(rng) if rng.random() < 0.5 else np.full(3, 0.7)),
                         radius=rng.uniform(0.9, 1.6) * big, height=rng.uniform(1.9, 2.5))
    return one.moved((0, 0, 0), yaw=rng.uniform(0, 1), roll=rng.normal(0, 0.05), pitch=rng.normal(0, 0.05))


def around(rng, w, d):
    """What stands beside any stall: spare crates, boxes, a board, bags."""
    parts = []
    for _ in range(int(rng.integers(0, 4))):
        at = (rng.choice([-1, 1]) * (w / 2 + rng.uniform(0.1, 0.5)), rng.uniform(-d, d), 0)
        kind = rng.integers(4)
        if kind == 0:
            parts.append(goods.crates(rng, 0.5, 0.4).moved(at, yaw=rng.uniform(0, 3)))
        elif kind == 1:
            parts.append(things.carton(tuple(rng.uniform(0.25, 0.6, 3)), int(rng.integers(9))).moved(at, yaw=rng.uniform(0, 3)))
        elif kind == 2:
            parts.append(goods.sign(rng, rng.uniform(0.3, 0.7), rng.uniform(0.4, 0.9)).moved(at, yaw=rng.normal(0, 0.4), roll=-0.15))
        else:
            parts.append(goods.pots(rng, 0.35, 0.35).moved(at))
    return parts


def table(rng):
    w, d = rng.uniform(0.9, 2.6), rng.uniform(0.5, 1.1)
    top, h = bench_top(rng, w, d)
    return [top, display(rng, w * 0.95, d * 0.92).moved((0, 0, h)), *around(rng, w, d)], w, d


def parasol(rng):
    parts, w, d = table(rng) if rng.random() < 0.6 else mat(rng) if rng.random() < 0.4 else crates(rng)
    for k in range(1 if rng.random() < 0.75 else 2):
        parts.append(umbrella(rng).moved((rng.uniform(-w / 3, w / 3), rng.uniform(0, d / 2 + 0.3), 0)))
    return parts, w, d


def mat(rng):
    w, d = rng.uniform(0.9, 3.0), rng.uniform(0.7, 1.6)
    return [goods.sheet(rng, w, d), display(rng, w * 0.92, d * 0.9, (goods.shoes, goods.toys, goods.toys, goods.folded, goods.packets, goods.greens,
                                                                        goods.heap, goods.pots)).moved((0, 0, 0.015)), *around(rng, w, d)], w, d


def wheels(w, d, r):
    return [things.wheel(r, 0.07).moved((sx * w * 0.32, sy * d * 0.55, r)) for sx in (-1, 1) for sy in (-1, 1)]


def pushcart(rng):
    w, d, r = rng.uniform(1.1, 2.0), rng.uniform(0.6, 1.0), rng.uniform(0.15, 0.3)
    deck, col = 2 * r + rng.uniform(0.05, 0.4), dull(rng)
    parts = wheels(w, d, r) + [box((0, 0, deck), (w, d, 0.06), col), box((0, -d / 2, deck + 0.08), (w, 0.03, 0.16), col), box((0, d / 2, deck + 0.08), (w, 0.03, 0.16), col),
                               tube((w / 2, -d / 3, deck), (w / 2 + 0.5, -d / 3, deck + 0.3), 0.02, 0.02, col), tube((w / 2, d / 3, deck), (w / 2 + 0.5, d / 3, deck + 0.3), 0.02, 0.02, col),
                               *posts(w * 0.8, d * 0.8, deck, dull(rng), 0.025), display(rng, w * 0.93, d * 0.9).moved((0, 0, deck + 0.03))]
    if rng.random() < 0.3:
        parts.append(umbrella(rng, 0.8).moved((0, d / 3, 0)))
    return parts + around(rng, w, d), w, d


def tricycle(rng):
    parts = [things.tricycle(tuple(dull(rng))), display(rng, 1.4, 0.9).moved((-0.5, 0, 0.66 + rng.uniform(0, 0.25)))]
    if rng.random() < 0.35:
        parts.append(umbrella(rng, 0.9).moved((-0.5, 0.4, 0)))
    elif rng.random() < 0.4:
        parts += [shade(rng, 1.8, 1.4, 2.0).moved((-0.5, 0, 0)), *(p.moved((-0.5, 0, 0)) for p in posts(1.4, 0.95, 2.0))]
    return parts + around(rng, 2.4, 1.0), 2.2, 1.0


def rack(rng):
    w, h, parts = rng.uniform(1.0, 2.4), rng.uniform(1.3, 1.8), []
    for k in range(int(rng.integers(1, 4))):
        rail = [tube((-w / 2, 0, h), (w / 2, 0, h), 0.016, 0.016, things.STEEL)]
        for s in (-1, 1):
            rail += [tube((s * w / 2, 0, 0), (s * w / 2, 0, h), 0.016, 0.016, things.STEEL), box((s * w / 2, 0, 0.04), (0.04, 0.5, 0.04), things.STEEL)]
        parts.append(Mesh.join([*rail, goods.hanging(rng, w * 0.94, h - 0.02)]).moved((rng.normal(0, 0.2), 0.8 * k, 0), yaw=rng.normal(0, 0.15)))
    if rng.random() < 0.5:
        parts.append(goods.folded(rng, w, 0.6).moved((0, -0.8, 0.4)))
        parts.append(things.table((w, 0.7), 0.38, tuple(vivid(rng))).moved((0, -0.8, 0)))
    return parts + around(rng, w, 0.8), w, 0.8


def crates(rng):
    """Crates on the ground and in steps."""
    w, parts, deep = rng.uniform(1.0, 3.2), [], int(rng.integers(1, 4))
    for k in range(deep):
        z = 0.28 * k * rng.choice([0.0, 1.0])
        parts.append(goods.crates(rng, w, 0.42).moved((0, 0.5 * k, z)))
        if z:
            parts.append(box((0, 0.5 * k, z / 2), (w, 0.4, z), dull(rng), noise=0.4))
    return parts + around(rng, w, 0.6 * deep), w, 0.5 * deep


def food_cart(rng):
    """A cart with glass, a roof and lamps: cooked food, snacks."""
    w, d, r, h = rng.uniform(1.2, 2.2), rng.uniform(0.7, 1.0), 0.2, rng.uniform(0.75, 0.95)
    body, top = vivid(rng), rng.uniform(1.8, 2.3)
    parts = wheels(w, d, r) + [box((0, 0, (h + 0.25) / 2 + 0.05), (w, d, h - 0.25), body, gloss=0.4), *posts(w * 0.95, d * 0.95, top, things.STEEL, 0.02),
                               display(rng, w * 0.9, d * 0.85, (goods.pots, goods.pots, goods.heap, goods.bottles, goods.packets)).moved((0, 0, h - 0.04)),
                               shade(rng, w * rng.uniform(1.05, 1.5), d * rng.uniform(1.1, 1.7), top)]
    parts.append(goods.sign(rng, w * 0.9, h * 0.5).moved((0, -d / 2 - 0.012, 0.32)))
    if rng.random() < 0.6:
        parts.append(goods.sign(rng, w * 0.95, 0.3).moved((0, -d / 2 - 0.02, top - 0.32)))
    if rng.random() < 0.5:
        parts.append(things.box((0, -d / 2 - 0.2, h - 0.05), (w, 0.4, 0.03), body * 0.7))
    return parts + around(rng, w, d), w, d


def awning(rng):
    """Goods set out in steps before a shop, under its awning; with or without a piece of its wall."""
    w, parts = rng.uniform(1.6, 3.6), []
    for k in range(int(rng.integers(1, 4))):
        z = 0.1 + 0.25 * k
        parts += [box((0, 0.45 * k, z / 2), (w, 0.44, z), dull(rng)), (goods.crates if rng.random() < 0.6 else display)(rng, w * 0.97, 0.42).moved((0, 0.45 * k, z))]
    top = rng.uniform(2.1, 2.7)
    parts.append(shade(rng, w * 1.05, rng.uniform(1.0, 1.8), top, kind="slope").moved((0, 0.5, 0)))
    if rng.random() < 0.5:
        parts += [tube((s * w / 2, -0.2, 0), (s * w / 2, -0.2, top), 0.02, 0.02, things.STEEL) for s in (-1, 1)]
    if rng.random() < 0.6:
        wall = box((0, 1.5, 1.5), (w * 1.1, 0.1, 3.0), dull(rng), noise=0.4)
        door = box((0, 1.44, 1.1), (w * 0.6, 0.02, 2.2), (0.02, 0.02, 0.02), gloss=0.5)
        parts += [wall, door, goods.sign(rng, w, 0.5).moved((0, 1.4, 2.5))]
    else:
        parts += [tube((s * w / 2, 1.2, 0), (s * w / 2, 1.2, top + 0.3), 0.03, 0.03, dull(rng)) for s in (-1, 1)]
    return parts + around(rng, w, 1.0), w, 1.2


def tent(rng):
    """A market tent over tables."""
    w, d, h = rng.uniform(2.0, 3.2), rng.uniform(1.8, 3.0), rng.uniform(2.0, 2.4)
    parts = [shade(rng, w, d, h, kind="pyramid" if rng.random() < 0.6 else "gable"), *posts(w * 0.97, d * 0.97, h)]
    top, z = bench_top(rng, w * 0.85, 0.8)
    parts += [top.moved((0, -d / 2 + 0.5, 0)), display(rng, w * 0.8, 0.7).moved((0, -d / 2 + 0.5, z))]
    if rng.random() < 0.5:
        parts += [goods.hanging(rng, w * 0.9, h - 0.1).moved((0, d / 2 - 0.1, 0))]
    return parts + around(rng, w, d), w, d


def truck(rng):
    """Selling from the bed of a small truck."""
    parts = [things.truck(tuple(dull(rng))), display(rng, 2.9, 1.5, (goods.heap, goods.greens, goods.crates)).moved((-0.9, 0, 0.86 + rng.uniform(0, 0.2)))]
    if rng.random() < 0.4:
        parts += [goods.crates(rng, 2.4, 0.5).moved((-0.9, -1.3, 0))]
    if rng.random() < 0.4:
        parts.append(goods.sign(rng, 1.4, 0.5).moved((-0.8, -0.86, 0.75)))
    return parts, 4.0, 1.8


STALLS = {f.__name__: f for f in (parasol, table, mat, pushcart, tricycle, rack, crates, food_cart, awning, tent, truck)}
FRONTED = ("awning",)  # with a wall behind: seen from its front only
HELD_OUT = ("truck",)  # never trained on: says how far the rest carries


# What is no stall ----------------------------------------------------------------------------------------------------

def bicycle(rng):
    col, parts = vivid(rng), []
    for x in (-0.52, 0.52):
        t = np.linspace(0, 2 * np.pi, 22)
        ring = np.stack([x + 0.33 * np.cos(t), 0 * t, 0.34 + 0.33 * np.sin(t)], 1)
        parts += [tube(a, b, 0.018, 0.018, things.RUBBER, sides=5, caps=False) for a, b in zip(ring, ring[1:])]
    for a, b in (((-.52, 0, .34), (-.12, 0, .85)), ((-.12, 0, .85), (.42, 0, .82)), ((-.02, 0, .32), (.42, 0, .78)), ((-.02, 0, .32), (-.12, 0, .9)),
                 ((-.52, 0, .34), (-.02, 0, .32)), ((.52, 0, .34), (.40, 0, 1.0)), ((.40, -.28, 1.02), (.40, .28, 1.02))):
        parts.append(tube(a, b, 0.022, 0.022, col, sides=6, gloss=0.4))
    parts.append(blob((0.26, 0.14, 0.08), (0.02, 0.02, 0.02)).moved((-.13, 0, .9)))
    if rng.random() < 0.4:
        parts.append(box((.6, 0, .85), (.3, .3, .22), dull(rng)))
    return parts


def scooter(rng):
    col = vivid(rng)
    parts = [things.wheel(.24, .1).moved((x, 0, .24)) for x in (-.6, .62)]
    parts += [blob((.9, .32, .5), col, 3, lump=0.05, gloss=.6).moved((-.4, 0, .3)), box((.15, 0, .3), (.6, .3, .08), things.DARK), box((.45, 0, .6), (.1, .36, .6), col, gloss=.5),
              tube((.6, 0, .25), (.42, 0, 1.02), .03, .03, things.DARK), tube((.42, -.32, 1.02), (.42, .32, 1.02), .02, .02, things.DARK),
              blob((.6, .28, .12), (.02, .02, .02), 1).moved((-.4, 0, .76))]
    if rng.random() < 0.4:
        parts.append(box((-.8, 0, 1.0), (.42, .42, .4), vivid(rng)))
    return parts


def car(rng):
    return [things.car(tuple(vivid(rng) if rng.random() < 0.4 else dull(rng)), ("sedan", "hatch", "van")[rng.integers(3)], rng.uniform(0, 1))]


def delivery(rng):
    """A tricycle with a closed box, or an empty one."""
    parts = [things.tricycle(tuple(dull(rng)))]
    if rng.random() < 0.5:
        parts += [box((-.5, 0, 1.15), (1.45, .98, 1.0), vivid(rng), gloss=.3)]
    return parts


def bare_table(rng):
    """Tables and stools without goods, at times under a parasol: a tea house's terrace, a game of cards."""
    w, d = rng.uniform(0.7, 1.8), rng.uniform(0.6, 0.9)
    top, _ = bench_top(rng, w, d)
    parts = [top] + [things.stool(tuple(dull(rng))).moved((rng.uniform(-w, w), s * (d / 2 + 0.3), 0)) for s in (-1, 1) if rng.random() < 0.7]
    if rng.random() < 0.35:
        parts.append(umbrella(rng).moved((0, d / 2, 0)))
    return parts


def bench(rng):
    w, col = rng.uniform(1.2, 2.0), dull(rng)
    parts = [box((0, y, .44), (w, .1, .04), col) for y in (-.16, -.04, .08)] + [box((0, .22, z), (w, .03, .1), col) for z in (.62, .76)]
    return parts + [box((s * w * .4, 0, .22), (.06, .42, .44), things.DARK) for s in (-1, 1)]


def planter(rng):
    w = rng.uniform(0.5, 2.0)
    parts = [box((0, 0, .22), (w, .5, .44), dull(rng), noise=.5)]
    for x in np.arange(-w / 2 + .15, w / 2, .25):
        parts.append(blob((.4, .4, rng.uniform(.3, .7)), np.array((.05, .13, .03)) * rng.uniform(.5, 1.6), int(rng.integers(999)), lump=.4, noise=1.).moved((x, rng.normal(0, .05), .4)))
    return parts


def pushchair(rng):
    col = vivid(rng)
    parts = [things.wheel(.13, .05).moved((x, y, .13)) for x in (-.35, .35) for y in (-.22, .22)]
    return parts + [blob((.55, .42, .5), col, 2, lump=.06).moved((0, 0, .4)), blob((.4, .44, .35), col * .6, 3, lump=.04).moved((-.15, 0, .75)),
                    tube((-.35, -.22, .2), (.5, -.22, 1.0), .015, .015, things.STEEL), tube((-.35, .22, .2), (.5, .22, 1.0), .015, .015, things.STEEL),
                    tube((.5, -.22, 1.0), (.5, .22, 1.0), .02, .02, things.DARK)]


def persons(rng):
    n = int(rng.choice([1, 1, 2, 3, 5]))
    return [someone(rng, rng.uniform(-0.3 * n, 0.3 * n, 2), rng.uniform(0, 6.3)) for _ in range(n)]


def furled(rng):
    h = rng.uniform(1.8, 2.5)
    return [tube((0, 0, 0), (0, 0, h), .022, .022, (.5, .5, .5)), tube((0, 0, h * .35), (0, 0, h * .97), .13, .03, vivid(rng), noise=.8), box((0, 0, .05), (.45, .45, .1), (.2, .2, .2))]


def open_umbrella(rng):
    return [umbrella(rng)]


def cartons(rng):
    return [things.carton(tuple(rng.uniform(.25, .6, 3)), k).moved((rng.normal(0, .4), rng.normal(0, .3), .35 * (k // 3)), yaw=rng.uniform(0, 3)) for k in range(int(rng.integers(2, 7)))]


def barrier(rng):
    """Road works: boards in red and white, cones."""
    parts, w = [], rng.uniform(1.2, 2.4)
    for k in range(8):
        parts.append(box(((k + .5) / 8 * w - w / 2, 0, .85), (w / 8, .03, .22), (.6, .04, .03) if k % 2 else (.75, .75, .72)))
    parts += [box((s * w * .45, 0, .45), (.05, .4, .9), (.7, .5, .05)) for s in (-1, 1)]
    return parts + [tube((x, -.6, 0), (x, -.6, .6), .16, .03, (.75, .15, .02)) for x in rng.uniform(-w / 2, w / 2, int(rng.integers(0, 4)))]


def kiosk(rng):
    w, d, h, col = rng.uniform(.6, 1.6), rng.uniform(.5, 1.2), rng.uniform(1.2, 2.4), dull(rng)
    parts = [box((0, 0, h / 2), (w, d, h), col, gloss=.2, noise=.2), box((0, 0, h + .03), (w * 1.08, d * 1.08, .08), col * .7)]
    return parts + ([goods.sign(rng, w * .8, h * .3).moved((0, -d / 2 - .012, h * .55))] if rng.random() < 0.6 else [])


def bare_cart(rng):
    """A pushcart or tent with nothing in it."""
    if rng.random() < 0.4:
        w, d, h = rng.uniform(2, 3), rng.uniform(2, 3), rng.uniform(2.0, 2.4)
        return [shade(rng, w, d, h), *posts(w * .97, d * .97, h)]
    w, d, r = rng.uniform(1.1, 1.8), rng.uniform(.6, 1.), .25
    return wheels(w, d, r) + [box((0, 0, .6), (w, d, .08), dull(rng)), *posts(w * .8, d * .8, .6), tube((w / 2, 0, .6), (w / 2 + .6, 0, .9), .02, .02, things.STEEL)]


OTHERS = {f.__name__: f for f in (car, delivery, bicycle, scooter, bare_table, bench, planter, pushchair, persons, persons, furled, open_umbrella, cartons,
                                  barrier, kiosk, bare_cart)}


def made(form, rng):
    """(structure, extras) of one thing, about the origin."""
    if form in STALLS:
        parts, w, d = STALLS[form](rng)
        return Mesh.join(parts), attended(rng, w, d)
    return Mesh.join(OTHERS[form](rng)), Mesh()
