"""Renders one thing with Cycles (Blender as the PyPI module bpy): 2 to 6 CPU-s a view, light that is bounced and soft.

Owns: Blender's scene. Must not know: forms, files.
"""

import contextlib
import os
import tempfile

import bpy
import numpy as np
from mathutils import Matrix, Vector

SAMPLES = 6


class Renderer:
    """Stands in one scene at a time, as quick.Renderer does."""

    def load(self, mesh, sheet):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.mesh, self.sheet = mesh, sheet
        self.lit = False

    def draw(self, view, fov, window, eye, lights, rng, side=256):
        """Linear RGBA [side, side, 4] of the square `window` (x, y, side; 0..1, y down), premultiplied, shadow included. `lights`:
        see sprites.light."""
        if not self.lit:
            add(self.mesh, material(self.sheet, rng))
            ground()
            illuminate(lights)
            self.lit = True
        data = bpy.data.cameras.new("camera")
        thing = bpy.data.objects.new("camera", data)
        x, y, part = window
        data.angle = 2 * np.arctan(np.tan(fov / 2) * part)
        data.shift_x, data.shift_y = (x + part / 2 - 0.5) / part, (0.5 - y - part / 2) / part
        thing.matrix_world = Matrix(np.linalg.inv(view).tolist())
        bpy.context.collection.objects.link(thing)
        bpy.context.scene.camera = thing
        return render(side)


def illuminate(lights):
    """Sky, suns and bulbs as Blender's lights; a sun of radiance c gives c a unit of facing surface, as in quick.py."""
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*np.asarray(lights["sky"]), 1)
    for direction, radiance in lights["suns"]:
        strength = float(np.max(radiance))
        if strength > 0:
            lamp("SUN", strength * np.pi, np.asarray(radiance) / strength, aim=-np.asarray(direction), soft=lights["soft"])
    for at, radiance in lights["bulbs"]:
        strength = float(np.max(radiance))
        lamp("POINT", strength * 4 * np.pi**2, np.asarray(radiance) / strength, at=at, soft=0.05)


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


def render(side):
    scene = bpy.context.scene
    r, c = scene.render, scene.cycles
    r.engine, c.device, c.samples, c.use_denoising, c.max_bounces, c.seed = "CYCLES", "CPU", SAMPLES, True, 3, 7
    c.denoising_prefilter, c.denoising_quality, c.denoising_input_passes = "FAST", "FAST", "RGB_ALBEDO_NORMAL"
    c.use_adaptive_sampling, c.caustics_reflective, c.caustics_refractive = False, False, False
    r.film_transparent, r.use_persistent_data = True, True
    r.threads_mode, r.threads = "FIXED", 2
    r.resolution_x = r.resolution_y = side
    r.resolution_percentage = 100
    scene.view_settings.view_transform = "Raw"
    r.image_settings.file_format, r.image_settings.color_depth, r.image_settings.color_mode = "OPEN_EXR", "32", "RGBA"
    with tempfile.TemporaryDirectory() as folder:
        r.filepath = f"{folder}/out.exr"
        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
            bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(r.filepath)
        pixels = np.zeros(side * side * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
    return pixels.reshape(side, side, 4)[::-1]
