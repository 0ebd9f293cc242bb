"""Writes SCENE.site.toml: a complete configuration for the clips of a scene, with its zones
projected into the picture. Dwells are short, so that clips can be short.

    python -m maker.sites
"""

import pathlib

import numpy as np

from .scenes import BUILDERS
from .stage import project

HOME = pathlib.Path(__file__).resolve().parent.parent
BASE_LON, BASE_LAT = 121.376080, 31.112400
FIRST_CLIP = {"kerb-day": "bag-left.mp4", "lane-day": "lane-bag.mp4", "gate-night": "lights-switch.mp4", "vtest": "real/vtest.avi",
              "traffic": "real/traffic_sequence.mp4", "vtest-composite": "vtest-bag.mp4"}

HEAD = """# Site of the scene "{scene}" in test-videos. Written by `python -m maker.sites`; dwells are short because clips are.
schema = 1

[device]
edge_id = "demo-box-01"
division = "310112"
utc_offset = "+08:00"
data_dir = "./data"
point = [{lon:.6f}, {lat:.6f}]

[centre]
url = "mqtt://127.0.0.1:1883"

[models]
street = "../models/street.toml"
close_up = "../models/waste.toml"

[codes]
scheme = "GB/T 47678.5-2026"
table = "../edge-config/codes/matters.csv"

[[camera]]
id = "cam1"
url = "{clip}"
point = [{lon:.6f}, {lat:.6f}]
accuracy_m = {accuracy}
analysis_fps = 5.0
analysis_width = 640
"""

WASTE = """
  [[camera.zone.rule]]
  id = "{zone}-no-dumping"
  kinds = ["waste.exposed"]
  dwell_s = {dwell}
  min_area_norm = {area}
  sensitivity = 5
  repeat_s = 600
  clear_after_s = 6
"""
STALL = """
  [[camera.zone.rule]]
  id = "{zone}-no-stall"
  kinds = ["stall.occupying"]
  dwell_s = 20
  min_area_norm = 0.004
  sensitivity = 5
  repeat_s = 600
  clear_after_s = 8
"""
FRONT = """
  [[camera.zone.rule]]
  id = "{zone}-no-goods-outside"
  kinds = ["shopfront.overflow"]
  dwell_s = 15
  min_area_norm = 0.002
  sensitivity = 5
  repeat_s = 600
  clear_after_s = 8
"""


def zone_text(name, polygon, rules, frontage=False):
    points = ", ".join(f"[{x:.4f}, {y:.4f}]" for x, y in polygon)
    text = f'\n  [[camera.zone]]\n  id = "{name}"\n  polygon_norm = [{points}]\n'
    return text + ("  frontage = true\n" if frontage else "") + "".join(rules)


def clipped(camera, polygon, z, steps=12):
    """A ground polygon in the picture, cut to the picture (edges are sampled, so cutting is fair)."""
    ground = np.array([(*p, z) for p in polygon], float)
    dense = np.concatenate([a + (b - a) * np.linspace(0, 1, steps, endpoint=False)[:, None] for a, b in zip(ground, np.roll(ground, -1, axis=0))])
    picture = np.clip(project(camera, dense), 0.004, 0.996)
    keep = [picture[0]]
    for k in range(1, len(picture) - 1):  # drop points on a straight line
        a, b, c = keep[-1], picture[k], picture[k + 1]
        if abs((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]) > 2e-5:
            keep.append(b)
    return keep + [picture[-1]]


def control_points(scene):
    """Surveyed points of the pavement: picture to longitude and latitude (x east, y north)."""
    z, lines = scene["ground_z"], []
    xs, ys = np.array(scene["zones"]["sidewalk"]).T
    for x in np.linspace(xs.min() + 1.5, xs.max() - 1.5, 4):
        for y in np.linspace(ys.min() + 0.3, ys.max() - 0.4, 2):
            u, v = project(scene["camera"], (x, y, z))[0]
            if 0 < u < 1 and 0 < v < 1:
                lon = BASE_LON + x / (111320 * np.cos(np.deg2rad(BASE_LAT)))
                lines.append(f"[[camera.control_point]]\npixel_norm = [{u:.4f}, {v:.4f}]\nlon_lat = [{lon:.7f}, {BASE_LAT + y / 110900:.7f}]\n")
    return "\n".join(lines)


def drawn(name):
    scene = BUILDERS[name]()
    text = HEAD.format(scene=name, clip=FIRST_CLIP[name], lon=BASE_LON, lat=BASE_LAT, accuracy=3.0)
    text += "\n" + control_points(scene)
    camera, z = scene["camera"], scene["ground_z"]
    for zone, polygon in scene["zones"].items():
        area = clipped(camera, polygon, 0 if zone == "road" else z)
        rules = [WASTE.format(zone=zone, dwell=10, area=0.0008)]
        if zone == "sidewalk":
            rules.append(STALL.format(zone=zone))
        if zone == "frontage":
            rules = [FRONT.format(zone=zone)] + rules
        text += zone_text(zone, area, rules, zone == "frontage")
    return text


def flat(name, zones):
    """A site for real footage: zones are given in the picture."""
    text = HEAD.format(scene=name, clip=FIRST_CLIP[name], lon=BASE_LON, lat=BASE_LAT, accuracy=15.0)
    for zone, polygon in zones.items():
        text += zone_text(zone, polygon, [WASTE.format(zone=zone, dwell=10, area=0.0006), STALL.format(zone=zone)])
    return text


VTEST = {"walk": [(0.02, 0.30), (0.35, 0.12), (0.98, 0.25), (0.98, 0.97), (0.02, 0.97)]}
TRAFFIC = {"junction": [(0.02, 0.30), (0.98, 0.30), (0.98, 0.97), (0.02, 0.97)]}


def main():
    for name in BUILDERS:
        if "-moved" not in name:
            (HOME / f"{name}.site.toml").write_text(drawn(name))
    for name, zones in (("vtest", VTEST), ("vtest-composite", VTEST), ("traffic", TRAFFIC)):
        (HOME / f"{name}.site.toml").write_text(flat(name, zones))


if __name__ == "__main__":
    main()
