"""From a shot (scene, actors, lens, events) to NAME.mp4 and NAME.truth.toml.

The H.264 is made as street cameras make it: main profile, a key frame every 1.6 to 2 s whatever
happens in the picture, no B-frames, a bit rate cap.
"""

import pathlib
import subprocess
from dataclasses import dataclass, field

import cv2
import numpy as np

from . import lens as optics
from .play import Crown
from .scenes import BUILDERS
from .stage import HEIGHT, WIDTH, Stage, project

HOME = pathlib.Path(__file__).resolve().parent.parent
_stages = {}


@dataclass
class Event:
    """A truth. `start_s`: the thing is at rest in its place; of a stall or of goods, the first part of it.
    `box` is (x, y, w, h) normalised, or a mesh in world space whose outline is taken."""
    kind: str
    start_s: float
    box: object
    act: str = None
    end_s: float = None
    tolerance_s: float = 5.0
    tolerance_norm: float = 0.08


@dataclass
class Blind:
    """A truth about the camera: why it cannot see, and when (`end_s` None: to the end)."""
    why: str
    start_s: float
    end_s: float = None


@dataclass
class Shot:
    name: str
    scene: str
    seconds: float
    note: str
    actors: list
    events: list = field(default_factory=list)
    fps: float = 10.0
    seed: int = 1
    wind_m: object = 0.0              # how far the crowns sway: metres, or a function of time
    fill: object = 1.0                # gains of the lights: numbers or functions of time
    key: object = 1.0
    gain: object = 1.0                # exposure drift
    rain: object = 0.0
    cover: object = 0.0               # share of the lens covered
    view: object = None               # function of time -> name of another bake of the scene
    frozen_from_s: float = None
    jitter_px: float = 0.0
    noise: float = 1.0
    hour: str = "2026-11-21T10:00:00+08:00"
    kbit_s: int = None                # bit rate cap; by default what keeps a clip under 1.4 MB
    condition: str = "day"            # weather and light, for the account of false reports
    blind: list = field(default_factory=list)


def at(value, t):
    return value(t) if callable(value) else value


def stage_of(name, calm=True):
    """The stage of a scene; one is kept, for the next clip often plays on it too. `calm`: the
    trees stand still and are part of the picture; otherwise the clip's crowns move."""
    if (name, calm) not in _stages:
        _stages.clear()
        baked = np.load(HOME / ".cache" / f"{name}.npz")
        scene = BUILDERS[name]()
        crowns = [Crown(tree, lambda t: 0.0).mesh for tree in scene["trees"]] if calm else []
        _stages[name, calm] = Stage(scene, {k: baked[k].astype(np.float32) for k in baked.files}, crowns)
    return _stages[name, calm]


def crowns_of(shot, stage):
    return [Crown(tree, lambda t: at(shot.wind_m, t)) for tree in stage.scene["trees"]] if shot.wind_m else []


def pictures(shot):
    """Yields the pictures of a shot, 8-bit BGR."""
    rng = np.random.default_rng(shot.seed)
    stage = stage_of(shot.scene, not shot.wind_m)
    scene = stage.scene
    lens = optics.Lens(rng, scene.get("exposure", 1.35), scene.get("noise", 1.0) * shot.noise, jitter_px=shot.jitter_px)
    weather = optics.Rain(rng)
    crowns = crowns_of(shot, stage)
    drift = rng.uniform(0, 6.28, 2)
    picture = None
    for number in range(int(round(shot.seconds * shot.fps))):
        t = number / shot.fps
        if shot.frozen_from_s is not None and t >= shot.frozen_from_s and picture is not None:
            yield picture
            continue
        meshes, contacts = [], []
        for actor in shot.actors + crowns:
            more, spots = actor.at_time(t)
            meshes += more
            contacts += spots
        if shot.view is not None and shot.view(t) != stage.scene["name"]:
            stage = stage_of(shot.view(t))
        light = stage.frame(meshes, contacts, at(shot.fill, t), at(shot.key, t))
        if scene["key"]["kind"] == "lamp":
            light = light + headlights(stage, shot.actors, t)
        if shot.view is not None and shot.view(t + KNOCK_S) != stage.scene["name"]:
            light = knocked(light, rng)
        if at(shot.rain, t) > 0:
            light = weather.fall(light, at(shot.rain, t))
        light = optics.covered(light, at(shot.cover, t))
        slow = 1 + 0.008 * np.sin(t / 7.3 + drift[0]) + 0.005 * np.sin(t / 2.9 + drift[1])
        picture = np.ascontiguousarray(lens.shoot(light, at(shot.gain, t) * slow))
        optics.burn_counter(picture, number)
        yield picture


def headlights(stage, actors, t):
    """Light that passing cars throw ahead of them on the ground and on what stands there."""
    total = np.float32(0)
    for actor in actors:
        if not getattr(actor, "beams", False) or not actor.times[0] <= t <= actor.times[-1]:
            continue
        ahead = (stage.place[..., 0] - actor.x_at(t)) * actor.facing - 2.2
        aside = stage.place[..., 1] - actor.y
        wide = 0.9 + 0.28 * np.maximum(ahead, 0)
        pool = np.exp(-(aside / wide) ** 2) * np.clip(ahead, 0, 1) / (1 + (ahead / 5.0) ** 2) * np.exp(-stage.place[..., 2] * 0.8)
        total = total + (pool * stage.place[..., 3])[..., None]
    surface = stage.passes["fill"] / (np.asarray(stage.scene["fill"]["colour"]) * stage.scene["fill"]["strength"])
    return (surface * total * np.array([0.50, 0.47, 0.40])).astype(np.float32)


KNOCK_S = 0.4


def knocked(light, rng):
    """A picture while the camera is being pushed: displaced and smeared."""
    shift = np.float32([[1, 0, rng.uniform(-60, -15)], [0, 1, rng.uniform(-10, 25)]])
    light = cv2.warpAffine(light, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    return cv2.blur(light, (int(rng.integers(9, 25)), 5))


class Encoder:
    def __init__(self, path, fps, kbit_s, size=(WIDTH, HEIGHT), seconds_between_keys=2.0):
        every = int(round(fps * seconds_between_keys))
        self.process = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{size[0]}x{size[1]}", "-r", str(fps), "-i", "-",
             "-an", "-c:v", "libx264", "-profile:v", "main", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-threads", "1",
             "-x264-params", f"keyint={every}:min-keyint={every}:scenecut=0:bframes=0:rc-lookahead=10",
             "-crf", "25", "-maxrate", f"{kbit_s}k", "-bufsize", f"{2 * kbit_s}k",
             "-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart", str(path)], stdin=subprocess.PIPE)

    def write(self, picture):
        self.process.stdin.write(picture.tobytes())

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise SystemExit("ffmpeg failed")


def outline(camera, mesh):
    """The box of a world mesh in the picture, (x, y, w, h) normalised."""
    p = np.clip(project(camera, mesh.pos), 0, 1)
    low, high = p.min(axis=0), p.max(axis=0)
    return [*low, *(high - low)]


def truth_text(shot, footage="synthetic", camera=None, split=None, site=None):
    lines = [f'clip = "{shot.name}.mp4"', f'site = "{site or shot.scene}.site.toml"', f'footage = "{footage}"', f'scene = "{shot.scene}"',
             f'split = "{split}"', f'start_wall = "{shot.hour}"', f'condition = "{shot.condition}"', f'note = "{shot.note}"']
    for e in sorted(shot.events, key=lambda e: e.start_s):
        box = e.box if isinstance(e.box, (list, tuple)) else outline(camera, e.box)
        lines += ["", "[[event]]", f'kind = "{e.kind}"'] + ([f'act = "{e.act}"'] if e.act else [])
        lines += [f"start_s = {e.start_s:.1f}"] + ([f"end_s = {e.end_s:.1f}"] if e.end_s is not None else [])
        lines += [f"bbox_norm = [{', '.join(f'{v:.4f}' for v in box)}]", f"tolerance_s = {e.tolerance_s:.1f}", f"tolerance_norm = {e.tolerance_norm:.2f}"]
    for b in shot.blind:
        lines += ["", "[[camera]]", f'blind = "{b.why}"', f"start_s = {b.start_s:.1f}"] + ([f"end_s = {b.end_s:.1f}"] if b.end_s is not None else [])
    return "\n".join(lines) + "\n"


def write_truth(shot):
    scene = BUILDERS[shot.scene]()
    (HOME / f"{shot.name}.truth.toml").write_text(truth_text(shot, "synthetic", scene["camera"], scene["split"]))


def make(shot, preview=None):
    """Renders and writes a shot; `preview` = list of seconds: only those, as PNG into .cache."""
    if preview is not None:
        return stills(shot, preview)
    encoder = Encoder(HOME / f"{shot.name}.mp4", shot.fps, shot.kbit_s or int(min(450, 1.4e6 * 8 / 1000 / shot.seconds)))
    for picture in pictures(shot):
        encoder.write(picture)
    encoder.close()
    write_truth(shot)
    return None


def stills(shot, seconds):
    """Single moments of a shot, without drawing what lies between."""
    stage = stage_of(shot.scene, not shot.wind_m)
    lens = optics.Lens(np.random.default_rng(1), stage.scene.get("exposure", 1.35), stage.scene.get("noise", 1.0) * shot.noise)
    crowns = crowns_of(shot, stage)
    out = []
    for t in seconds:
        meshes, contacts = [], []
        for actor in shot.actors + crowns:
            more, spots = actor.at_time(t)
            meshes += more
            contacts += spots
        light = stage.frame(meshes, contacts, at(shot.fill, t), at(shot.key, t))
        if stage.scene["key"]["kind"] == "lamp":
            light = light + headlights(stage, shot.actors, t)
        picture = np.ascontiguousarray(lens.shoot(optics.covered(light, at(shot.cover, t)), at(shot.gain, t)))
        out.append(optics.burn_counter(picture, int(t * shot.fps)))
    rows = [np.hstack(out[i:i + 2] if len(out[i:i + 2]) == 2 else out[i:i + 1] * 2) for i in range(0, len(out), 2)]
    cv2.imwrite(str(HOME / ".cache" / f"preview-{shot.name}.png"), np.vstack(rows))
