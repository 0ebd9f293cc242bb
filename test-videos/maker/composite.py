"""Scripted events over real footage (vtest.avi from Debian's opencv-doc, see ../README.md).

The camera was found from the heights of its pedestrians; what is added stands on its ground plane,
throws shadows on it and is hidden by the real people who pass in front of it.

    python -m maker.composite vtest-bag | vtest-stall | --truths | --preview NAME SECOND ...
"""

import sys

import cv2
import numpy as np

from . import clips, film, human, stage, things
from .mesh import Mesh, quad
from .people import person
from .play import Thing, Walker

SIZE = (640, 480)
GAMMA = 1.55  # this camera draws with a hard curve
# Horizon 341 px above the middle of the 768x576 picture and pedestrians 0.248 px high for each px
# that their feet lie below it: with a 45 degree lens, 6 m up and 20.2 degrees down.
HEIGHT_M, PITCH_DEG, FOV_X_DEG = 6.03, 20.2, 45.0


def scene():
    ground = quad([(-60, -5, 0), (60, -5, 0), (60, 120, 0), (-60, 120, 0)], (.3, .3, .3))
    dip = np.tan(np.deg2rad(PITCH_DEG))
    return {"name": "vtest-composite", "split": "tune", "camera": {"eye": (0, 0, HEIGHT_M), "target": (0, 10, HEIGHT_M - 10 * dip), "fov_x_deg": FOV_X_DEG},
            "parts": [], "geometry": ground, "focus": (0, 16, 0), "reach_m": 16.0,
            "key": {"kind": "sun", "direction": (-.35, -.25, 1.0), "colour": (1, .98, .95), "strength": 1.9},
            "fill": {"colour": (.97, 1.0, 1.05), "strength": 0.80}, "trees": [], "ground_z": 0.0}


def on_ground(place, x, y):
    """The ground point seen at pixel (x, y) of the original 768x576 picture."""
    return tuple(float(v) for v in place[int(y * SIZE[1] / 576), int(x * SIZE[0] / 768), :2])


def footage(first, last):
    reader = cv2.VideoCapture(str(film.HOME / "real" / "vtest.avi"))
    frames = []
    for k in range(last):
        ok, frame = reader.read()
        if not ok:
            raise SystemExit("real/vtest.avi is missing or short: run fetch.sh")
        if k >= first:
            frames.append(cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA))
    return frames


class Passing:
    """Finds the real people of a frame and whether they are nearer than a thing at base row `y`."""

    def __init__(self, frames):
        self.empty = np.median(np.stack(frames[::12]), axis=0).astype(np.int16)

    def in_front_of(self, frame, base_row):
        change = np.abs(frame.astype(np.int16) - self.empty).max(axis=2)
        mask = cv2.morphologyEx((change > 26).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 11)))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
        near = np.zeros(mask.shape, np.float32)
        for k in range(1, count):
            x, y, w, h, area = stats[k]
            if area > 120 and h > 22 and y + h > base_row + 2:
                near[labels == k] = 1
        return cv2.GaussianBlur(near, (3, 3), 0.6)[..., None]


def bag_shot(place):
    spot = on_ground(place, 600, 350)
    start = 11.6                        # the passer's feet are just past this place then
    mesh = things.bag(61, (.56, .5, .55), (.006, .006, .008), gloss=0.12).moved((*spot, 0), 0.4)
    bag = Thing("bag", mesh, (0, 0, 0), since=start)
    bag.at = spot
    shot = film.Shot("vtest-bag", "vtest-composite", 46, "real pedestrians; a black bag lies where one of them has just passed (the bag is rendered)", [bag],
                     [film.Event("waste.exposed", start, mesh)], seed=61, hour="2026-11-21T11:00:00+08:00")
    return shot, 80, 350 * SIZE[1] / 576


def stall_shot(place):
    cx, cy = on_ground(place, 250, 318)
    set_s, pack_s = 9.0, 60.0
    parts, mesh = clips.vendor_stall(cx, cy, 2, (set_s, set_s + 2.5, set_s + 5, set_s + 1.2), (pack_s,) * 4, "vstall")
    for p in parts:
        p.mesh = p.mesh.moved((0, 0, -clips.Z))
    mesh = mesh.moved((0, 0, -clips.Z))
    look = person(611, sex="male", shirt=(.10, .22, .12), trousers=(.02, .02, .025), skirt=False, jacket=True)
    away = (cx - 11, cy + 1.0)
    stand = (cx + .95, cy + .4)
    walk_s = float(np.hypot(away[0] - stand[0], away[1] - stand[1])) / 1.4
    folded = things.box((0, 0, .35), (.1, 1.4, .7), (.5, .5, .5))
    seller = Walker(look, 0, set_s - 1.5 - walk_s, away, [("walk", stand, 1.4), ("face", -90), ("act", 1.8, human.STOOP), ("act", 2.2, human.REACH), ("act", 2.2, human.REACH),
                    ("stand", pack_s - set_s - 9, human.STAND), ("act", 2.4, human.REACH), ("act", 2.6, human.STOOP), ("walk", away, 1.4)],
                    carry=clips.carrying(folded, .75, -1e3, set_s, "folded"), idle_seed=4)
    def visitor(seed, start, stay, dx):
        to = (cx + dx, cy - 1.2)
        return Walker(person(seed), 0, start, (cx - 10, cy - 1.5), [("walk", to, 1.3), ("face", 90), ("stand", stay * .5, human.TALK), ("act", 2.4, human.REACH), ("stand", stay * .4, human.TALK),
                      ("walk", (cx - 10, cy - 2), 1.3)], idle_seed=seed)
    actors = parts + [seller, visitor(612, 14, 7, -.3), visitor(613, 30, 8, .4)]
    shot = film.Shot("vtest-stall", "vtest-composite", 68, "real pedestrians; a rendered stall is set up beside their path, attended, visited twice, packed up", actors,
                     [film.Event("stall.occupying", set_s, mesh, end_s=pack_s, tolerance_s=8.0, tolerance_norm=0.12)], seed=62, hour="2026-11-21T11:10:00+08:00")
    return shot, 60, 318 * SIZE[1] / 576


SHOTS = {"vtest-bag": bag_shot, "vtest-stall": stall_shot}


def pictures(name, only=None):
    """Yields (number, picture); `only`: the frame numbers wanted."""
    place = empty_stage()
    shot, first, base_row = SHOTS[name](place.place)
    frames = footage(first, first + int(shot.seconds * shot.fps))
    passing = Passing(frames)
    rng = np.random.default_rng(shot.seed)
    for number, frame in enumerate(frames):
        if only is not None and number not in only:
            continue
        t = number / shot.fps
        meshes, spots = [], []
        for actor in shot.actors:
            more, near = actor.at_time(t)
            meshes += more
            spots += near
        light = (frame[..., ::-1].astype(np.float32) / 255) ** GAMMA
        place.passes = {"fill": light * 0.66, "key": light * 0.34}
        drawn = place.frame(meshes, spots)
        changed = np.abs(drawn - light).max(axis=2, keepdims=True) > 0.004
        soft = cv2.GaussianBlur(drawn, (3, 3), 0.55)
        toned = np.clip(soft, 0, 1) ** (1 / GAMMA) * 255
        toned += rng.normal(0, 2.2, toned.shape)
        mixed = np.where(changed, toned, frame[..., ::-1])
        front = passing.in_front_of(frame, base_row) if meshes else 0.0
        mixed = mixed * (1 - front) + frame[..., ::-1] * front
        picture = np.ascontiguousarray(np.clip(mixed, 0, 255).astype(np.uint8)[..., ::-1])
        yield shot, place, number, film.optics.burn_counter(picture, number)


def make(name):
    encoder = None
    for shot, place, _, picture in pictures(name):
        if encoder is None:
            encoder = film.Encoder(film.HOME / f"{name}.mp4", shot.fps, int(1.45e6 * 8 / 1000 / shot.seconds), SIZE)
        encoder.write(picture)
    encoder.close()
    write_truth(shot)


def write_truth(shot):
    text = film.truth_text(shot, "composite", scene()["camera"], scene()["split"])
    (film.HOME / f"{shot.name}.truth.toml").write_text(text)


def empty_stage():
    stage.WIDTH, stage.HEIGHT = SIZE
    black = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    return stage.Stage(scene(), {"fill": black, "key": black})


def truths():
    place = empty_stage()
    for name, shot_of in SHOTS.items():
        if (film.HOME / f"{name}.mp4").exists():
            write_truth(shot_of(place.place)[0])


if __name__ == "__main__":
    if sys.argv[1] == "--truths":
        truths()
    elif sys.argv[1] == "--preview":
        wanted = [int(float(s) * 10) for s in sys.argv[3:]]
        out = [picture for _, _, _, picture in pictures(sys.argv[2], wanted)]
        cv2.imwrite(str(film.HOME / ".cache" / f"preview-{sys.argv[2]}.png"), np.vstack([np.hstack(out[i:i + 2]) for i in range(0, len(out) - 1, 2)]))
    else:
        for word in sys.argv[1:]:
            make(word)
