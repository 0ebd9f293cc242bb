"""Draws stalls and things that are none as cut-outs: `python sprites.py --data garbage3 --out DIR [--stalls 640] [--others 280]`.

Runs in the environment of test-videos/make.sh, one file DIR/NUMBER.npz a cut-out: `rgba` uint8 (straight alpha, the shadow on the ground
as black of its own alpha), `box` x0,y0,x1,y1 in px without shadow and persons, `form`, `light`, `down_deg`, `held`, `by`. Number n is a
function of n alone, so a run that stopped goes on. Two renderers, so that neither's hand is learned: Cycles for every CYCLES-th thing, else
OpenGL. Views share a thing. Owns: camera, light, exposure, the atlas of photographic prints. Must not know: forms, backgrounds, training.
"""

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

import goods
import stalls

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test-videos"))
from maker.lens import curve  # noqa: E402
from maker.mesh import Mesh  # noqa: E402
from maker.stage import look_at  # noqa: E402

VIEWS = 2
CYCLES = 8           # every so many things is rendered with it
HELD = 6             # every so many rounds of forms is kept for validation
SEED = 20261122
LIGHTS, CHANCES = ("sun", "overcast", "dusk", "lamps"), (0.42, 0.33, 0.13, 0.12)


def atlas(rng, photographs, side=768):
    """A sheet of pieces of photographs, vivid as print is; its first cell is white."""
    cell, sheet = side // goods.CELLS, np.ones((side, side, 3), np.float32)
    for k in range(1, goods.CELLS ** 2):
        picture = cv2.imread(str(photographs[rng.integers(len(photographs))]))
        n = int(rng.integers(40, 200))
        y, x = (int(rng.integers(0, max(1, s - n))) for s in picture.shape[:2])
        piece = cv2.resize(picture[y:y + n, x:x + n], (cell, cell), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        grey = piece.mean(2, keepdims=True)
        piece = np.clip(grey + (piece - grey) * rng.uniform(1, 3), 0, 1) ** 2.2
        r, c = divmod(k, goods.CELLS)
        sheet[r * cell:(r + 1) * cell, c * cell:(c + 1) * cell] = np.clip(piece[::-1, :, ::-1] * 1.5, 0, 1)
    return sheet


def light(rng, kind, low, high):
    """`sky`: radiance from everywhere above; `suns`: (direction towards it, radiance a facing surface returns); `bulbs`: (place, strength a
    facing surface returns at 1 m); `soft`: width of the suns. `low`, `high`: corners of the thing."""
    sky = np.array({"sun": (0.55, 0.7, 1.0), "overcast": (0.9, 0.95, 1.0), "dusk": (0.35, 0.5, 1.0), "lamps": (0.3, 0.3, 0.4)}[kind])
    sky = sky * {"sun": rng.uniform(0.3, 0.9), "overcast": 1.0, "dusk": rng.uniform(0.05, 0.3), "lamps": 0.015}[kind]
    turn, up = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(18, 75))
    sun = np.array([np.cos(turn) * np.cos(up), np.sin(turn) * np.cos(up), np.sin(up)])
    if kind == "sun":
        return {"sky": sky, "suns": [(sun, np.array([1.0, rng.uniform(0.82, 0.97), rng.uniform(0.6, 0.9)]) * rng.uniform(0.7, 1.6))], "bulbs": [], "soft": 0.1}
    if kind == "overcast":
        return {"sky": sky, "suns": [(sun, np.full(3, rng.uniform(0, 0.2)))], "bulbs": [], "soft": 4}
    warm = np.array([1.0, rng.uniform(0.6, 0.95), rng.uniform(0.25, 0.85)])
    up = np.deg2rad(rng.uniform(40, 85))  # a street lamp, far enough to be one direction
    lamp = np.array([np.cos(turn) * np.cos(up), np.sin(turn) * np.cos(up), np.sin(up)])
    bulbs = []
    for _ in range(int(rng.integers(0, 3))):  # over the goods
        x, y = rng.uniform(low[:2] * 0.7, high[:2] * 0.7)
        bulbs.append(((x, y, min(2.0, high[2] + 0.3)), np.array([1, rng.uniform(0.7, 1), rng.uniform(0.4, 1)]) * rng.uniform(0.1, 0.5)))
    return {"sky": sky, "suns": [(lamp, warm * rng.uniform(0.1, 0.4))], "bulbs": bulbs, "soft": 0.3}


def camera(rng, low, high, fronted=False):
    """Looks down on the thing from a pole, or level from the street: (camera from world, field of view in rad, eye, degrees down).
    `fronted`: never from behind, where it has a wall."""
    down = rng.uniform(10, 45) if rng.random() < 0.75 else rng.uniform(2, 12)
    turn = rng.normal(-90, 45) if rng.random() < 0.75 else rng.uniform(0, 360)
    turn = float(np.clip((turn + 270) % 360 - 180, -65, 65)) - 90 if fronted else turn
    middle = (low + high) / 2
    fov = np.deg2rad(rng.uniform(12, 45))
    distance = max(np.linalg.norm(high - low) / 2 / np.sin(fov / 2) * 1.03, 3.0)
    a, b = np.deg2rad(turn), np.deg2rad(down)
    eye = middle + distance * np.array([np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)])
    eye[2] = max(eye[2], 0.6)
    return look_at(eye, middle), fov, eye, down


def outline(view, fov, points):
    """x0, y0, x1, y1 in 0..1 of the square picture, y down."""
    p = np.c_[points, np.ones(len(points))] @ view.T
    xy = p[:, :2] / -p[:, 2:3] / np.tan(fov / 2) * [0.5, -0.5] + 0.5
    return np.concatenate([xy.min(0), xy.max(0)])


def developed(rng, linear):
    """What a camera makes of it: exposed by what it shows, its curve, straight alpha."""
    alpha = linear[..., 3:].clip(0, 1)
    straight = linear[..., :3] / np.maximum(alpha, 1e-3)
    shown = straight[alpha[..., 0] > 0.9]
    bright = np.percentile(shown.max(1), 85) if len(shown) > 50 else 1.0
    rgb = curve(straight * rng.uniform(0.35, 0.85) / max(bright, 1e-4))
    return (np.concatenate([rgb, alpha], 2) * 255 + 0.5).clip(0, 255).astype(np.uint8)


def thing(number, form, photographs, renderer, out, held):
    """Builds one thing and writes its views."""
    rng = np.random.default_rng([SEED, number])
    structure, extras = stalls.made(form, rng)
    whole = Mesh.join([structure, extras])
    kind = LIGHTS[rng.choice(len(LIGHTS), p=CHANCES)]
    lights = light(rng, kind, structure.pos.min(0), structure.pos.max(0))
    renderer.load(whole, atlas(rng, photographs))
    for view in range(VIEWS):
        matrix, fov, eye, down = camera(rng, whole.pos.min(0), whole.pos.max(0), form in stalls.FRONTED)
        span = outline(matrix, fov, whole.pos)
        margin = 0.12 * (span[2:] - span[:2])
        span = np.concatenate([span[:2] - margin, span[2:] + margin])
        window = (*span[:2], float((span[2:] - span[:2]).max()))
        pixels = developed(rng, renderer.draw(matrix, fov, window, eye, lights, rng))
        in_window = lambda b: (b - np.tile(span[:2], 2)) / window[2] * len(pixels)
        box = in_window(outline(matrix, fov, structure.pos))
        x0, y0, x1, y1 = in_window(span).round().astype(int)
        part = out / "part"
        with part.open("wb") as file:
            np.savez_compressed(file, rgba=pixels[y0:y1, x0:x1], box=(box - [x0, y0, x0, y0]).astype(np.float32), form=form, light=kind,
                                down_deg=down, held=held, by=type(renderer).__module__)
        part.rename(out / f"{number * VIEWS + view:05d}.npz")


def plan(stall_count, other_count):
    """(number, form, held for validation) of every thing."""
    names, others = list(stalls.STALLS), list(stalls.OTHERS)
    for n in range(stall_count // VIEWS):
        form, turn = names[n % len(names)], n // len(names)
        if form in stalls.HELD_OUT and turn % 3:
            continue
        yield n, form, form in stalls.HELD_OUT or turn % HELD == HELD - 1
    for n in range(other_count // VIEWS):
        yield 5000 + n, others[n % len(others)], (n // len(others)) % HELD == HELD - 1


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", type=Path, required=True, help="folder with train/images: pieces of them are the print on packets")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--stalls", type=int, default=640)
    p.add_argument("--others", type=int, default=280)
    p.add_argument("--renderer", choices=("both", "tracer", "quick"), default="both", help="only what this one draws")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    photographs, renderers = sorted((a.data / "train" / "images").iterdir()), {}
    todo = sorted(plan(a.stalls, a.others), key=lambda t: (not t[2], (t[0] % 5000) / (a.stalls if t[0] < 5000 else a.others)))
    for number, form, held in todo:
        by = "tracer" if number % CYCLES == 0 else "quick"
        if (a.out / f"{number * VIEWS + VIEWS - 1:05d}.npz").exists() or a.renderer not in ("both", by):
            continue
        if by not in renderers:
            renderers[by] = __import__(by).Renderer()
        began, spent = time.monotonic(), time.process_time()
        thing(number, form, photographs, renderers[by], a.out, held)
        print(f"{number} {form} {by} {time.monotonic() - began:.1f} s, {time.process_time() - spent:.1f} CPU-s", flush=True)


if __name__ == "__main__":
    main()
