"""The places: cameras, lights and what never moves. Clips of one scene share its background,
so whoever tunes on one scene reports on another.

A scene is a dict: camera, parts [(Mesh, texture name or None, roughness)], geometry (all parts
joined), key and fill lights, focus and reach_m of the shadow map, trees (crowns that the stage
draws, because they move), ground zones in world coordinates for the site file.
"""

import numpy as np

from . import things
from .mesh import Mesh, box, quad

KERB_M = 0.15
WHITE, PAVING, TAR = (0.62, 0.62, 0.6), (0.33, 0.31, 0.29), (0.085, 0.086, 0.09)


def ground(x0, x1, y0, y1, z, col, texture, repeat_m=2.0):
    """A floor, cut into tiles so that depth and texture stay exact."""
    corners = [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]
    return quad(corners, col, uv_size=((x1 - x0) / repeat_m, (y1 - y0) / repeat_m)), texture, 0.9


def wall(a, b, z0, z1, col, texture, repeat_m=2.0, rough=0.9):
    """An upright rectangle from ground point a to b (seen from its right-hand side a->b)."""
    length = np.hypot(b[0] - a[0], b[1] - a[1])
    corners = [(*a, z0), (*b, z0), (*b, z1), (*a, z1)]
    size = (length / repeat_m, (z1 - z0) / repeat_m) if repeat_m else None
    return quad(corners, col, uv_size=size), texture, rough


def shop(x0, x1, y, floor, words, ink, col, texture, seed, shut=False):
    """A shop front that looks to -y: pillars, window, door, sign, upper floor with windows."""
    w = x1 - x0
    parts = [wall((x0, y), (x1, y), floor, floor + 7.5, col, texture)]
    parts.append((box(((x0 + x1) / 2, y - 0.08, floor + 0.15), (w - 0.6, .16, .3), (0.22, 0.21, 0.2)), None, .8))
    if shut:
        parts.append(wall((x0 + .4, y - .05), (x1 - .4, y - .05), floor + .02, floor + 2.7, (0.35, 0.36, 0.38), "shutter", None, .4))
    else:
        door = x0 + w * (0.62 if seed % 2 else 0.22)
        parts.append(wall((x0 + .4, y - .05), (x1 - .4, y - .05), floor + .3, floor + 2.7, (1, 1, 1), f"display:{seed}", None, .12))
        parts.append((box((door, y - .09, floor + 1.25), (1.15, .1, 2.5), (0.03, .03, .032), gloss=.5), None, .2))
        parts.append((box((door + .45, y - .16, floor + 1.1), (.04, .05, .5), (0.6, .6, .6)), None, .3))
    for x in np.linspace(x0 + .4, x1 - .4, 4):
        parts.append((box((x, y - .08, floor + 1.5), (.07, .12, 2.6), (0.30, .30, .31)), None, .5))
    parts.append((box(((x0 + x1) / 2, y - .14, floor + 3.1), (w - .3, .28, .75), (0.12, .12, .12)), None, .6))
    parts.append(wall((x0 + .17, y - .285), (x1 - .17, y - .285), floor + 2.75, floor + 3.45, (1, 1, 1), f"sign:{words}:{ink}", None, .5))
    for x in np.arange(x0 + 1.1, x1 - .5, 1.9):
        parts.append((box((x, y - .02, floor + 5.3), (1.1, .08, 1.4), (0.04, .05, .06), gloss=.5), None, .15))
        parts.append((box((x, y - .1, floor + 4.55), (1.3, .2, .08), WHITE), None, .8))
    return parts


def kerb_stones(x0, x1, y, z=KERB_M):
    return [(box((x + .48, y, z / 2), (.95, .22, z + .01), (0.36, .36, .35), noise=.3), None, .9) for x in np.arange(x0, x1, 1.0)]


def finish(scene):
    scene["geometry"] = Mesh.join([p[0] for p in scene["parts"]])
    return scene


DAY_FILL = {"colour": (0.82, 0.92, 1.08), "strength": 0.55}
DAY_SUN = (1.0, 0.93, 0.82)


def kerb_day():
    """Across the road to a pavement with shops, noon sun from the left."""
    parts = [ground(-30, 40, -12, 7, 0, TAR, "asphalt:1", 5.0), ground(-30, 40, 7.1, 11.5, KERB_M, PAVING, "pavers:2", 1.6)]
    parts += kerb_stones(-24, 34, 7.0)
    parts += [(box((x, 3.45, .004), (2.2, .12, .006), WHITE, noise=.4), None, .9) for x in np.arange(-20, 30, 4.5)]
    parts.append((box((5, 6.55, .004), (70, .1, .006), (0.55, .48, .1), noise=.4), None, .9))
    fronts = [(-14, -8.2, "NOODLES", "red", (0.45, .38, .30), "plaster:4", 11), (-8.2, -2.6, "TEA & FRUIT", "green", (0.40, .16, .10), "bricks:3", 12),
              (-2.6, 3.4, "HARDWARE", "blue", (0.50, .48, .42), "plaster:5", 13), (3.4, 9.2, "BAKERY", "brown", (0.42, .20, .13), "bricks:4", 14),
              (9.2, 16, "PHARMACY", "white", (0.40, .42, .40), "plaster:6", 15)]
    for k, (a, b, words, ink, col, texture, seed) in enumerate(fronts):
        parts += shop(a, b, 11.5, KERB_M, words, ink, col, texture, seed, shut=(k == 2))
    for x in (-6.2, 6.8):
        parts.append((things.trunk(3.3, int(x) + 20).moved((x, 7.75, KERB_M)), None, .95))
        parts.append((box((x, 7.75, KERB_M + .01), (1.1, 1.1, .03), (0.07, .05, .03), noise=.9), None, 1))
    parts.append((things.lamp_post().moved((1.1, 7.5, KERB_M), yaw=-np.pi / 2), None, .5))
    parts += [(things.bollard().moved((x, 7.45, KERB_M)), None, .5) for x in (-3.6, -1.9, 3.0, 4.7)]
    parts.append((things.bin_((0.02, .07, .16)).moved((9.0, 11.0, KERB_M), yaw=-np.pi / 2), None, .5))
    return finish({
        "name": "kerb-day", "split": "tune",
        "camera": {"eye": (-1.2, -4.2, 5.3), "target": (0.7, 8.2, 0.75), "fov_x_deg": 57.0},
        "parts": parts, "focus": (0.5, 8.0, 0.5), "reach_m": 13.0,
        "key": {"kind": "sun", "direction": (-0.62, -0.50, 0.95), "colour": DAY_SUN, "strength": 3.0},
        "fill": DAY_FILL,
        "trees": [((-6.2, 7.75, KERB_M), 3.5, 1.35, 3), ((6.8, 7.75, KERB_M), 3.6, 1.45, 4)],
        "zones": {"sidewalk": [(-6.9, 7.2), (8.4, 7.2), (8.4, 10.0), (3.6, 10.0), (3.6, 11.4), (-8.2, 11.4)], "frontage": [(3.6, 10.0), (8.4, 10.0), (9.0, 11.4), (3.6, 11.4)], "road": [(-5.4, 3.2), (6.2, 3.2), (7.9, 6.8), (-6.9, 6.8)]},
        "ground_z": KERB_M,
    })


def lane_day():
    """Along a pavement between road and wall, seen from a post; late sun from the right rear."""
    parts = [ground(-14, -2.3, -3, 70, 0, TAR, "asphalt:7", 5.0), ground(-2.2, 3.6, -3, 70, KERB_M, (0.36, .35, .34), "pavers:9", 2.4)]
    parts += [(m.moved(yaw=np.pi / 2), t, r) for m, t, r in kerb_stones(-3, 66, 2.25)]
    parts.append(ground(-24, -14, -3, 70, KERB_M, (0.30, .28, .27), "pavers:5", 2.0))
    parts.append(wall((3.6, 70), (3.6, 20.5), 0, 3.0, (0.50, .47, .42), "plaster:14"))
    parts.append(wall((3.6, 15.5), (3.6, -3), 0, 2.6, (0.42, .19, .12), "bricks:13", 1.6))
    parts.append((box((3.62, 9, 2.65), (.3, 24, .12), (0.4, .4, .38)), None, .9))
    local = shop(-2.5, 2.5, 0, KERB_M, "REPAIRS", "blue", (0.44, .40, .34), "plaster:16", 17)
    parts += [(m.moved((3.6, 18, 0), yaw=-np.pi / 2), t, r) for m, t, r in local]
    local = shop(-5, 5, 0, KERB_M, "MARKET HALL", "red", (0.36, .30, .25), "plaster:18", 19)
    parts += [(m.moved((-19.5, 30, 0), yaw=np.pi / 2), t, r) for m, t, r in local]
    parts.append(wall((-19.5, -3), (-19.5, 25), 0, 6, (0.38, .36, .33), "plaster:15"))
    parts.append(wall((-19.5, 35), (-19.5, 70), 0, 8, (0.40, .2, .14), "bricks:15"))
    parts.append(wall((-20, 69), (4, 69), 0, 14, (0.42, .43, .44), "plaster:21", 6))
    parts += [(box((-7.6, y, .004), (.12, 2.5, .006), WHITE, noise=.4), None, .9) for y in np.arange(-2, 60, 5)]
    for y in (9.5, 17.0, 26):
        parts.append((things.trunk(3.4, int(y)).moved((-1.55, y, KERB_M)), None, .95))
        parts.append((box((-1.55, y, KERB_M + .01), (.95, .95, .03), (0.07, .05, .03), noise=.9), None, 1))
    parts.append((things.bin_().moved((3.1, 13.4, KERB_M), yaw=np.pi), None, .5))
    parts.append((things.car((0.25, .26, .30), "hatch").moved((-11.8, 24, 0), yaw=-np.pi / 2), None, .3))
    return finish({
        "name": "lane-day", "split": "report",
        "camera": {"eye": (1.0, -1.5, 4.4), "target": (-0.75, 11.5, 0.5), "fov_x_deg": 62.0},
        "parts": parts, "focus": (0, 11.0, 0.5), "reach_m": 16.0,
        "key": {"kind": "sun", "direction": (-0.75, -0.35, 0.80), "colour": (1.0, 0.88, 0.72), "strength": 2.8},
        "fill": {"colour": (0.85, 0.93, 1.05), "strength": 0.5},
        "trees": [((-1.55, 9.5, KERB_M), 3.9, 1.1, 5), ((-1.55, 17.0, KERB_M), 3.9, 1.3, 6), ((-1.55, 26, KERB_M), 3.8, 1.3, 7)],
        "zones": {"sidewalk": [(-2.1, 4.6), (2.6, 4.6), (3.4, 22), (-2.1, 22)], "road": [(-7.5, 6), (-2.4, 6), (-2.4, 24), (-10.5, 24)]},
        "ground_z": KERB_M,
    })


def gate_night():
    """A pavement corner with a closed market gate under a street lamp, at night."""
    parts = [ground(-30, 30, -12, 5.0, 0, TAR, "asphalt:27", 5.0), ground(-30, 30, 5.1, 11, KERB_M, (0.30, .29, .28), "pavers:25", 1.8)]
    parts += kerb_stones(-24, 24, 5.0)
    parts.append((box((0, 4.5, .004), (60, .1, .006), (0.55, .48, .1), noise=.4), None, .9))
    parts += shop(-10, -3.5, 11, KERB_M, "MARKET", "red", (0.45, .42, .36), "plaster:22", 23, shut=True)
    parts += shop(-3.5, 2.5, 11, KERB_M, "SEAFOOD", "blue", (0.38, .2, .14), "bricks:23", 24, shut=True)
    parts.append(wall((2.5, 11), (16, 11), 0, 2.7, (0.45, .42, .38), "plaster:24"))
    parts.append((box((9, 11.02, 2.75), (14, .35, .14), (0.4, .4, .38)), None, .9))
    parts.append((things.bin_((0.03, .12, .06)).moved((4.4, 10.4, KERB_M), yaw=-np.pi / 2), None, .5))
    parts.append((things.bin_((0.12, .12, .12)).moved((5.2, 10.45, KERB_M), yaw=-np.pi / 2), None, .5))
    parts += [(things.bollard().moved((x, 5.6, KERB_M)), None, .5) for x in (-5, -3, 4, 6)]
    post = things.lamp_post(6.0, 1.5).moved((-1.6, 10.2, KERB_M), yaw=-np.pi / 2)
    parts.append((post, None, .5))
    parts.append((things.trunk(3.4, 31).moved((7.6, 6.0, KERB_M)), None, .95))
    return finish({
        "name": "gate-night", "split": "report",
        "camera": {"eye": (1.8, -4.6, 4.9), "target": (0.3, 7.4, 0.9), "fov_x_deg": 58.0},
        "parts": parts, "focus": (0.5, 7.0, 0.0), "reach_m": 13.0,
        "key": {"kind": "lamp", "at": (-1.6, 8.4, 6.1), "colour": (1.0, 0.72, 0.42), "strength": 62.0, "spread_deg": 140},
        "fill": {"colour": (0.75, 0.85, 1.15), "strength": 0.05}, "sky_gain": 0.15,
        "trees": [((7.6, 6.0, KERB_M), 3.6, 1.3, 9)],
        "zones": {"sidewalk": [(-5.8, 5.2), (6.6, 5.2), (7.4, 10.7), (-7.5, 10.7)], "road": [(-4.6, 2.0), (5.8, 2.0), (6.4, 4.8), (-5.4, 4.8)]},
        "ground_z": KERB_M, "exposure": 2.3, "noise": 2.4,
    })


def kerb_day_moved():
    """The same place after a knock on the camera."""
    scene = kerb_day()
    scene["name"] = "kerb-day-moved"
    scene["camera"] = {"eye": (-1.2, -4.2, 5.3), "target": (2.3, 8.2, 1.45), "fov_x_deg": 57.0}
    return scene


BUILDERS = {"kerb-day-moved": kerb_day_moved, "kerb-day": kerb_day, "lane-day": lane_day, "gate-night": gate_night}
