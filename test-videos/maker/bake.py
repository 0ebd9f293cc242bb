"""Bakes the light passes of a scene with Cycles (PyPI bpy) into .cache/SCENE.npz.

    python -m maker.bake SCENE [SAMPLES]

`fill`: the sky or ambient light alone; `key`: the sun or lamp alone, with its bounces. Linear radiance, 640x360.
"""

import pathlib
import sys
import tempfile

import bpy
import cv2
import numpy as np

from . import textures
from .scenes import BUILDERS
from .stage import HEIGHT, WIDTH

CACHE = pathlib.Path(__file__).resolve().parent.parent / ".cache"


def image_of(name):
    picture = textures.by_name(name)
    rows, cols = picture.shape[:2]
    image = bpy.data.images.new(name, cols, rows, float_buffer=True)
    image.colorspace_settings.name = "Linear Rec.709"
    image.pixels.foreach_set(np.dstack([picture, np.ones((rows, cols))]).astype(np.float32).ravel())
    return image


def material(texture, rough):
    m = bpy.data.materials.new(f"{texture}-{rough}")
    m.use_nodes = True
    nodes, links = m.node_tree.nodes, m.node_tree.links
    surface = nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value = rough
    surface.inputs["Specular IOR Level"].default_value = 0.35 if rough < 0.6 else 0.1
    colour = nodes.new("ShaderNodeAttribute")
    colour.attribute_name = "Col"
    out = colour.outputs["Color"]
    if texture:
        pixels = nodes.new("ShaderNodeTexImage")
        pixels.image = bpy.data.images.get(texture) or image_of(texture)
        mix = nodes.new("ShaderNodeMix")
        mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
        mix.inputs["Factor"].default_value = 1.0
        links.new(out, mix.inputs["A"])
        links.new(pixels.outputs["Color"], mix.inputs["B"])
        out = mix.outputs["Result"]
    links.new(out, surface.inputs["Base Color"])
    return m


def add(mesh, texture, rough, index):
    data = bpy.data.meshes.new(f"part{index}")
    count = len(mesh)
    data.vertices.add(count)
    data.vertices.foreach_set("co", mesh.pos.ravel())
    data.loops.add(count)
    data.loops.foreach_set("vertex_index", np.arange(count, dtype=np.int32))
    data.polygons.add(count // 3)
    data.polygons.foreach_set("loop_start", np.arange(0, count, 3, dtype=np.int32))
    data.update(calc_edges=True)
    colour = data.attributes.new("Col", "FLOAT_COLOR", "POINT")
    colour.data.foreach_set("color", np.c_[mesh.col, np.ones(count)].astype(np.float32).ravel())
    uv = data.uv_layers.new(name="uv")
    uv.data.foreach_set("uv", mesh.uv.astype(np.float32).ravel())
    thing = bpy.data.objects.new(data.name, data)
    bpy.context.collection.objects.link(thing)
    data.materials.append(material(texture, rough))


def merged(parts):
    """One object a material: Cycles starts faster."""
    from .mesh import Mesh
    groups = {}
    for mesh, texture, rough in parts:
        groups.setdefault((texture, rough), []).append(mesh)
    return [(Mesh.join(meshes), *key) for key, meshes in groups.items()]


def set_camera(camera):
    from mathutils import Vector
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.angle = np.deg2rad(camera["fov_x_deg"])
    thing = bpy.data.objects.new("camera", data)
    thing.location = camera["eye"]
    thing.rotation_euler = (Vector(camera["target"]) - Vector(camera["eye"])).to_track_quat("-Z", "Y").to_euler()
    bpy.context.collection.objects.link(thing)
    bpy.context.scene.camera = thing


def set_key(key):
    from mathutils import Vector
    if key["kind"] == "sun":
        data = bpy.data.lights.new("key", "SUN")
        data.energy = key["strength"]
        data.angle = np.deg2rad(0.8)
        aim = -Vector(key["direction"])
    else:
        data = bpy.data.lights.new("key", "POINT")
        data.energy = key["strength"] * 4 * np.pi**2 / np.pi  # radiant intensity of `strength`, see stage.py
        data.shadow_soft_size = 0.12
        aim = Vector((0, 0, -1))
    data.color = key["colour"]
    thing = bpy.data.objects.new("key", data)
    if key["kind"] != "sun":
        thing.location = np.asarray(key["at"]) - (0, 0, 0.15)
    thing.rotation_euler = aim.to_track_quat("-Z", "Y").to_euler()
    bpy.context.collection.objects.link(thing)
    return thing


def render(samples):
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = True
    scene.cycles.seed = 7
    scene.cycles.max_bounces = 4
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = f"{folder}/pass.exr"
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath)
        image.colorspace_settings.name = "Non-Color"
        pixels = np.zeros(WIDTH * HEIGHT * 4, np.float32)
        image.pixels.foreach_get(pixels)
    return pixels.reshape(HEIGHT, WIDTH, 4)[::-1, :, :3].copy()


def main(name, samples=96):
    scene = BUILDERS[name]()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for index, (mesh, texture, rough) in enumerate(merged(scene["parts"])):
        add(mesh.loose(), texture, rough, index)
    set_camera(scene["camera"])
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.use_nodes = True
    sky = world.node_tree.nodes["Background"]
    sky.inputs["Color"].default_value = (*scene["fill"]["colour"], 1)
    passes = {}
    sky.inputs["Strength"].default_value = scene["fill"]["strength"]
    passes["fill"] = render(samples)
    sky.inputs["Strength"].default_value = 0.0
    set_key(scene["key"])
    passes["key"] = render(samples)
    CACHE.mkdir(exist_ok=True)
    np.savez_compressed(CACHE / f"{name}.npz", **{k: v.astype(np.float16) for k, v in passes.items()})
    look = passes["fill"] + passes["key"]
    shown = np.clip(look * scene.get("exposure", 1.35), 0, 1) ** (1 / 2.2) * 255
    cv2.imwrite(str(CACHE / f"{name}.png"), shown[..., ::-1])


if __name__ == "__main__":
    main(sys.argv[1], *(int(a) for a in sys.argv[2:]))
