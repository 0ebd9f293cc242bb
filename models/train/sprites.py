"""Renders stalls and things that are none as cut-outs: `python sprites.py --data garbage3 --out DIR [--stalls 520] [--others 240]`.

Runs in the environment of test-videos/make.sh (Blender as the PyPI module bpy), one file DIR/NUMBER.npz a cut-out: `rgba` uint8
(straight alpha, the shadow on the ground as black of its own alpha), `box` x0,y0,x1,y1 in px without shadow and persons, `form`, `light`,
`down_deg` and `held`. Number n is a function of n alone, so a run that stopped goes on. Two views share a thing.
Owns: camera, light, exposure, the atlas of photographic prints. Must not know: forms, backgrounds, training.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import bpy
import cv2
import numpy as np
from mathutils import Vector

import goods
import stalls

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test-videos"))
from maker.lens import curve  # noqa: E402

SIDE = 256           # px, the longer side of a picture
SAMPLES = 6
VIEWS = 2
HELD = 6             # every so many things is kept for validation
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


def material(sheet, rng):
    """One material for all: colour of the vertex times atlas times dirt; roughness from `gloss`, bumps from `noise`."""
    image = bpy.data.images.new("atlas", sheet.shape[1], sheet.shape[0], float_buffer=True)
    image.colorspace_settings.name = "Linear Rec.709"
    image.pixels.foreach_set(np.dstack([sheet, np.ones(sheet.shape[:2])]).astype(np.float32).ravel())
    m = bpy.data.materials.new("all")
    m.use_nodes = True
    nodes, links = m.node_tree.nodes, m.node_tree.links
    surface = nodes["Principled BSDF"]
    surface.inputs["Specular IOR Level"].default_value = 0.3
    colour, gloss = nodes.new("ShaderNodeAttribute"), nodes.new("ShaderNodeAttribute")
    colour.attribute_name, gloss.attribute_name = "Col", "Mat"
    prints = nodes.new("ShaderNodeTexImage")
    prints.image, prints.extension = image, "EXTEND"
    dirt = nodes.new("ShaderNodeTexNoise")
    dirt.inputs["Scale"].default_value, dirt.inputs["Detail"].default_value = rng.uniform(1.5, 6), 5
    where = nodes.new("ShaderNodeTexCoord")
    links.new(where.outputs["Object"], dirt.inputs["Vector"])
    worn = nodes.new("ShaderNodeMapRange")
    worn.inputs["From Min"].default_value, worn.inputs["From Max"].default_value = 0.3, 0.7
    worn.inputs["To Min"].default_value, worn.inputs["To Max"].default_value = rng.uniform(0.35, 0.95), 1.08
    links.new(dirt.outputs[0], worn.inputs["Value"])

    def times(a, b):
        mix = nodes.new("ShaderNodeVectorMath")
        mix.operation = "MULTIPLY"
        links.new(a, mix.inputs[0])
        links.new(b, mix.inputs[1])
        return mix.outputs[0]

    links.new(times(times(colour.outputs["Color"], prints.outputs["Color"]), worn.outputs[0]), surface.inputs["Base Color"])
    split = nodes.new("ShaderNodeSeparateXYZ")
    links.new(gloss.outputs["Vector"], split.inputs[0])
    rough = nodes.new("ShaderNodeMath")
    rough.operation, rough.inputs[0].default_value = "SUBTRACT", 0.9
    links.new(split.outputs[0], rough.inputs[1])
    links.new(rough.outputs[0], surface.inputs["Roughness"])
    return m


def add(mesh, paint):
    """A Mesh as a Blender object with smooth normals where vertices are shared."""
    data = bpy.data.meshes.new("thing")
    count, faces = len(mesh), len(mesh.index) // 3
    data.vertices.add(count)
    data.vertices.foreach_set("co", mesh.pos.ravel())
    data.loops.add(faces * 3)
    data.loops.foreach_set("vertex_index", mesh.index)
    data.polygons.add(faces)
    data.polygons.foreach_set("loop_start", np.arange(0, faces * 3, 3, dtype=np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(faces, bool))
    data.update(calc_edges=True)
    data.attributes.new("Col", "FLOAT_COLOR", "POINT").data.foreach_set("color", np.c_[mesh.col, np.ones(count)].astype(np.float32).ravel())
    data.attributes.new("Mat", "FLOAT_VECTOR", "POINT").data.foreach_set("vector", np.c_[mesh.mat, np.zeros(count)].astype(np.float32).ravel())
    data.uv_layers.new(name="uv").data.foreach_set("uv", mesh.uv[mesh.index].astype(np.float32).ravel())
    data.materials.append(paint)
    thing = bpy.data.objects.new("thing", data)
    bpy.context.collection.objects.link(thing)


def ground():
    bpy.ops.mesh.primitive_plane_add(size=60)
    plane = bpy.context.object
    plane.is_shadow_catcher = True
    m = bpy.data.materials.new("ground")
    m.use_nodes = True
    m.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.2, 0.2, 0.2, 1)
    plane.data.materials.append(m)


def lamp(kind, energy, colour, at=(0, 0, 0), aim=None, soft=0.1):
    data = bpy.data.lights.new("light", kind)
    data.energy, data.color = energy, colour
    if kind == "SUN":
        data.angle = np.deg2rad(soft * 10)
    else:
        data.shadow_soft_size = soft
    thing = bpy.data.objects.new("light", data)
    thing.location = at
    if aim is not None:
        thing.rotation_euler = Vector(aim).to_track_quat("-Z", "Y").to_euler()
    bpy.context.collection.objects.link(thing)


def light(rng, kind, low, high):
    """Sky, sun, lamps. `low`, `high`: corners of the thing."""
    sky = {"sun": (0.55, 0.7, 1.0), "overcast": (0.9, 0.95, 1.0), "dusk": (0.35, 0.5, 1.0), "lamps": (0.3, 0.3, 0.4)}[kind]
    strength = {"sun": rng.uniform(0.3, 0.9), "overcast": 1.0, "dusk": rng.uniform(0.05, 0.3), "lamps": 0.015}[kind]
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*sky, 1)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = strength
    turn, up = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(18, 75))
    aim = (-np.cos(turn) * np.cos(up), -np.sin(turn) * np.cos(up), -np.sin(up))
    if kind == "sun":
        lamp("SUN", rng.uniform(2, 5), (1.0, rng.uniform(0.82, 0.97), rng.uniform(0.6, 0.9)), aim=aim)
    elif kind == "overcast":
        lamp("SUN", rng.uniform(0, 0.6), (1, 1, 1), aim=aim, soft=4)
    else:
        warm = (1.0, rng.uniform(0.6, 0.95), rng.uniform(0.25, 0.85))
        lamp("POINT", rng.uniform(300, 900), warm, at=(*rng.uniform(-4, 4, 2), rng.uniform(4.5, 7)), soft=0.2)
        for _ in range(int(rng.integers(0, 3))):  # bulbs over the goods
            x, y = rng.uniform(low[:2] * 0.7, high[:2] * 0.7)
            lamp("POINT", rng.uniform(15, 70), (1, rng.uniform(0.7, 1), rng.uniform(0.4, 1)), at=(x, y, min(2.0, high[2] + 0.3)), soft=0.05)


def camera(rng, low, high):
    """Looks down on the thing from a pole, or level from the street; returns (camera from world rows, tangent, degrees down)."""
    down = rng.uniform(10, 45) if rng.random() < 0.75 else rng.uniform(2, 12)
    turn = rng.normal(-90, 45) if rng.random() < 0.75 else rng.uniform(0, 360)
    middle = (low + high) / 2
    radius = np.linalg.norm(high - low) / 2
    fov = np.deg2rad(rng.uniform(12, 45))
    distance = max(radius / np.sin(fov / 2) * 1.03, 3.0)
    a, b = np.deg2rad(turn), np.deg2rad(down)
    eye = middle + distance * np.array([np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)])
    eye[2] = max(eye[2], 0.6)
    data = bpy.data.cameras.new("camera")
    thing = bpy.data.objects.new("camera", data)
    thing.location = eye
    thing.rotation_euler = (Vector(middle) - Vector(eye)).to_track_quat("-Z", "Y").to_euler()
    data.angle = fov
    bpy.context.collection.objects.link(thing)
    bpy.context.scene.camera = thing
    bpy.context.view_layer.update()
    return np.array(thing.matrix_world.inverted()), np.tan(fov / 2), down


def outline(view, tangent, points):
    """x0, y0, x1, y1 in 0..1 of the square picture, y down."""
    p = np.c_[points, np.ones(len(points))] @ view.T
    xy = p[:, :2] / -p[:, 2:3] / tangent * [0.5, -0.5] + 0.5
    return np.concatenate([xy.min(0), xy.max(0)])


def render(border):
    """Linear RGBA, premultiplied, of the part `border` (0..1, y down) of the picture."""
    scene = bpy.context.scene
    r, c = scene.render, scene.cycles
    r.engine, c.device, c.samples, c.use_denoising, c.max_bounces, c.seed = "CYCLES", "CPU", SAMPLES, True, 3, 7
    c.denoising_prefilter, c.denoising_quality, c.denoising_input_passes = "FAST", "FAST", "RGB_ALBEDO_NORMAL"
    c.use_adaptive_sampling, c.caustics_reflective, c.caustics_refractive = False, False, False
    r.film_transparent, r.use_persistent_data = True, True
    r.threads_mode, r.threads = "FIXED", 2
    x0, y0, x1, y1 = border
    side = round(SIDE / max(x1 - x0, y1 - y0))
    r.resolution_x = r.resolution_y = side
    r.resolution_percentage = 100
    r.use_border, r.use_crop_to_border = True, True
    r.border_min_x, r.border_max_x, r.border_min_y, r.border_max_y = x0, x1, 1 - y1, 1 - y0
    scene.view_settings.view_transform = "Raw"
    r.image_settings.file_format, r.image_settings.color_depth, r.image_settings.color_mode = "OPEN_EXR", "32", "RGBA"
    with tempfile.TemporaryDirectory() as folder:
        r.filepath = f"{folder}/out.exr"
        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
            bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(r.filepath)
        width, height = image.size
        pixels = np.zeros(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1], side


def developed(rng, linear):
    """What a camera makes of it: exposed by what it shows, its curve, straight alpha."""
    alpha = linear[..., 3:].clip(0, 1)
    straight = linear[..., :3] / np.maximum(alpha, 1e-3)
    shown = straight[alpha[..., 0] > 0.9]
    bright = np.percentile(shown.max(1), 85) if len(shown) > 50 else 1.0
    rgb = curve(straight * rng.uniform(0.35, 0.85) / max(bright, 1e-4))
    return (np.concatenate([rgb, alpha], 2) * 255 + 0.5).clip(0, 255).astype(np.uint8)


def thing(number, form, photographs, out, held):
    """Builds one thing and writes its views."""
    rng = np.random.default_rng([SEED, number])
    structure, extras = stalls.made(form, rng)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    paint = material(atlas(rng, photographs), rng)
    for mesh in (structure, extras):
        if len(mesh):
            add(mesh, paint)
    ground()
    low, high = structure.pos.min(0), structure.pos.max(0)
    kind = LIGHTS[rng.choice(len(LIGHTS), p=CHANCES)]
    light(rng, kind, low, high)
    solid = np.concatenate([structure.pos, extras.pos]) if len(extras) else structure.pos
    for view in range(VIEWS):
        matrix, tangent, down = camera(rng, solid.min(0), solid.max(0))
        whole = outline(matrix, tangent, solid)
        margin = 0.12 * (whole[2:] - whole[:2])
        border = np.concatenate([whole[:2] - margin, whole[2:] + margin]).clip(0, 1)
        pixels, side = render(border)
        rgba = developed(rng, pixels)
        box = outline(matrix, tangent, structure.pos)
        box = (box - np.tile(border[:2], 2)) / np.tile(border[2:] - border[:2], 2) * np.tile([rgba.shape[1], rgba.shape[0]], 2)
        np.savez_compressed(out / f"{number * VIEWS + view:04d}.npz", rgba=rgba, box=box.astype(np.float32), form=form, light=kind, down_deg=down, held=held)


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
    p.add_argument("--stalls", type=int, default=520)
    p.add_argument("--others", type=int, default=240)
    p.add_argument("--only", nargs="*", help="forms to make")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    photographs = sorted((a.data / "train" / "images").iterdir())
    todo = sorted(plan(a.stalls, a.others), key=lambda t: (t[0] % 5000) / (a.stalls if t[0] < 5000 else a.others))
    for number, form, held in todo:
        if (a.out / f"{number * VIEWS + VIEWS - 1:04d}.npz").exists() or a.only and form not in a.only:
            continue
        began, spent = time.monotonic(), time.process_time()
        thing(number, form, photographs, a.out, held)
        print(f"{number} {form} {time.monotonic() - began:.1f} s, {time.process_time() - spent:.1f} CPU-s", flush=True)


if __name__ == "__main__":
    main()
