"""Draws one thing with OpenGL (headless, in software too): a tenth of the time of Cycles, nearly its light.

The sky is many weak directional lights, each with a shadow map, added up; the sun or a street lamp is one more; bulbs throw no shadow. What the
ground loses of its light is the shadow. Owns: shaders, passes. Must not know: forms, files.
"""

import moderngl
import numpy as np

from maker.stage import NOISE, look_at, orthographic, perspective

SIDE = 480      # px, halved at the end
MAP = 384       # px of a shadow map
SKY = 18        # directions
BOUNCE = 0.18   # of the ground

DEPTH = "#version 330\nuniform mat4 m; in vec3 pos; void main() { gl_Position = m * vec4(pos, 1); }"
NOTHING = "#version 330\nvoid main() {}"
VERTEX = """#version 330
uniform mat4 m; in vec3 pos; in vec3 nrm; in vec3 col; in vec2 mat; in vec2 uv; out vec3 p; out vec3 n; out vec3 c; out vec2 g; out vec2 t;
void main() { gl_Position = m * vec4(pos, 1); p = pos; n = nrm; c = col; g = mat; t = uv; }
"""
PAINT = "#version 330\n" + NOISE + """
uniform sampler2D atlas; uniform vec3 eye; uniform float dirt; uniform float grain;
in vec3 p; in vec3 n; in vec3 c; in vec2 g; in vec2 t; layout(location = 0) out vec4 paint; layout(location = 1) out vec4 normal;
void main() {
  vec3 nn = normalize(n + 1e-6);
  if (dot(nn, eye - p) < 0.0) nn = -nn;
  if (g.y > .02) nn = normalize(nn + (vec3(noise(p * 11.0), noise(p * 11.0 + 31.7), noise(p * 11.0 + 77.1)) - .5) * g.y);
  float worn = mix(dirt, 1.05, smoothstep(.3, .7, .6 * noise(p * grain) + .4 * noise(p * grain * 3.7)));
  paint = vec4(c * texture(atlas, t).rgb * worn, 1); normal = vec4(nn, g.x);
}
"""
SHADE = """#version 330
uniform sampler2DShadow map; uniform sampler2D paint; uniform sampler2D normal; uniform mat4 light; uniform vec3 dir; uniform vec3 radiance; uniform vec3 eye;
uniform int kind;  // 0 a direction with shadow, 1 a bulb at dir, 2 light from below
in vec3 p; in vec3 n; in vec3 c; in vec2 g; in vec2 t; out vec4 colour;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  vec3 albedo = texelFetch(paint, at, 0).rgb, l = dir;
  vec4 q = texelFetch(normal, at, 0); vec3 nn = q.xyz; float lit = 1.0, gloss = q.w;
  if (kind == 2) { colour = vec4(albedo * radiance * (.5 - .5 * nn.z), 0); return; }
  if (kind == 1) { l = dir - p; float d2 = dot(l, l) + .02; l /= sqrt(d2); lit = 1.0 / d2; }
  else { vec3 s = (light * vec4(p + nn * .012, 1)).xyz * .5 + .5; lit = texture(map, vec3(s.xy, s.z - .0012)); }
  vec3 view = normalize(eye - p);
  float shine = gloss > .02 ? gloss * (.5 * pow(max(dot(nn, normalize(l + view)), 0.0), mix(8.0, 90.0, gloss)) + .4 * pow(1.0 - max(dot(nn, view), 0.0), 4.0)) : 0.0;
  colour = vec4(radiance * lit * (albedo + shine) * max(dot(nn, l), 0.0), 0);
}
"""
GROUND = """#version 330
uniform sampler2DShadow map; uniform mat4 light; uniform float weight; in vec3 p; in vec3 n; in vec3 c; in vec2 g; in vec2 t; out vec4 colour;
void main() { vec3 s = (light * vec4(p, 1)).xyz * .5 + .5; float lit = texture(map, vec3(s.xy, s.z - .001)); colour = vec4(weight * lit, weight, 0, 0); }
"""


class Renderer:
    def __init__(self):
        self.gl = gl = moderngl.create_standalone_context(backend="egl")
        self.depth = gl.program(vertex_shader=DEPTH, fragment_shader=NOTHING)
        self.painting, self.shade, self.floor = (gl.program(vertex_shader=VERTEX, fragment_shader=f) for f in (PAINT, SHADE, GROUND))
        self.map = gl.depth_texture((MAP, MAP))
        self.map.compare_func, self.map.repeat_x, self.map.repeat_y = "<=", False, False
        self.map_target = gl.framebuffer(depth_attachment=self.map)
        sheet = lambda: gl.texture((SIDE, SIDE), 4, dtype="f4")
        self.paint, self.normal, depth = sheet(), sheet(), gl.depth_renderbuffer((SIDE, SIDE))
        self.surface = gl.framebuffer([self.paint, self.normal], depth)
        self.target = gl.framebuffer([sheet()], depth)   # sees the same depth
        self.ground = gl.framebuffer([sheet()])
        plane = np.array([[-30, -30, 0], [30, -30, 0], [30, 30, 0], [-30, -30, 0], [30, 30, 0], [-30, 30, 0]], np.float32)
        self.plane = self.buffers({"pos": plane}, self.floor)
        self.atlas = None

    def buffers(self, fields, program, index=None):
        """A vertex array of the attributes that the program kept."""
        content = [(self.gl.buffer(np.ascontiguousarray(v, np.float32).tobytes()), f"{v.shape[1]}f", k) for k, v in fields.items() if k in program]
        return self.gl.vertex_array(program, content, None if index is None else self.gl.buffer(index.astype(np.int32).tobytes()))

    def load(self, mesh, sheet):
        if self.atlas:
            self.atlas.release()
            for part in self.parts.values():
                part.release()
        fields = {k: getattr(mesh, k) for k in ("pos", "nrm", "col", "mat", "uv")}
        self.parts = {p: self.buffers(fields, p, mesh.index) for p in (self.depth, self.painting, self.shade)}
        self.middle = (mesh.pos.min(0) + mesh.pos.max(0)) / 2
        self.radius = float(np.linalg.norm(mesh.pos - self.middle, axis=1).max()) + 0.05
        self.atlas = self.gl.texture(sheet.shape[1::-1], 3, np.ascontiguousarray(sheet, np.float32).tobytes(), dtype="f4")
        self.atlas.repeat_x = self.atlas.repeat_y = False

    def shadow(self, direction):
        """Fills the shadow map from a direction; clip from world."""
        up = (0, 0, 1) if abs(direction[2]) < 0.95 else (1, 0, 0)
        matrix = orthographic(self.radius, self.radius, 0.1, 6 * self.radius) @ look_at(self.middle + np.asarray(direction) * 3 * self.radius, self.middle, up)
        self.map_target.use()
        self.map_target.clear(depth=1.0)
        self.gl.enable_only(moderngl.DEPTH_TEST)
        put(self.depth, "m", matrix)
        self.parts[self.depth].render()
        return matrix

    def draw(self, view, fov, window, eye, lights, rng):
        """Linear RGBA [SIDE/2, SIDE/2, 4], premultiplied, shadow included, of the square `window` (x, y, side; 0..1, y down) of the
        picture. `lights`: see sprites.light."""
        x, y, side = window
        crop = np.diag([1 / side, 1 / side, 1, 1])
        crop[0, 3], crop[1, 3] = -(2 * x + side - 1) / side, (2 * y + side - 1) / side
        clip = crop @ perspective(np.rad2deg(fov), 1.0, 0.3, 80.0) @ view
        for program in (self.painting, self.shade, self.floor):
            put(program, "m", clip)
            put(program, "eye", eye)
        self.lay(rng)
        self.blank(self.target)
        self.blank(self.ground)
        directions = [(d, lights["sky"] * (2.0 / SKY)) for d in dome(rng)] + lights["suns"]
        total = sum(float(np.mean(c)) * d[2] for d, c in directions)
        for direction, radiance in directions:
            matrix = self.shadow(direction)
            self.shine(0, direction, radiance, matrix)
            self.darken(matrix, float(np.mean(radiance)) * direction[2] / total)
        for at, radiance in lights["bulbs"]:
            self.shine(1, at, radiance)
        self.shine(2, (0, 0, -1), sum(np.asarray(c) * d[2] for d, c in directions) * BOUNCE)
        return self.joined()

    def blank(self, target):
        """Clears the colour and leaves the depth."""
        target.use()
        target.depth_mask = False
        target.clear()
        target.depth_mask = True

    def lay(self, rng):
        """Paint and normals of what is seen, and its depth."""
        self.painting["dirt"], self.painting["grain"] = rng.uniform(0.45, 0.95), rng.uniform(1.5, 6)
        self.atlas.use(1)
        self.painting["atlas"] = 1
        self.surface.use()
        self.surface.clear()
        self.gl.enable_only(moderngl.DEPTH_TEST)
        self.gl.depth_func = "<"
        self.parts[self.painting].render()

    def shine(self, kind, direction, radiance, matrix=None):
        self.target.use()
        self.gl.enable_only(moderngl.DEPTH_TEST | moderngl.BLEND)
        self.gl.depth_func, self.gl.blend_func = "<=", (moderngl.ONE, moderngl.ONE)
        for slot, (name, texture) in enumerate((("map", self.map), ("paint", self.paint), ("normal", self.normal))):
            texture.use(slot)
            put(self.shade, name, slot)
        for name, value in (("dir", direction), ("radiance", radiance), ("light", matrix), ("kind", kind)):
            if value is not None:
                put(self.shade, name, value)
        self.target.depth_mask = False
        self.parts[self.shade].render()
        self.target.depth_mask = True
        self.gl.depth_func = "<"

    def darken(self, matrix, weight):
        """One light's share on the ground, with and without shadow."""
        self.ground.use()
        self.gl.enable_only(moderngl.BLEND)
        self.gl.blend_func = moderngl.ONE, moderngl.ONE
        self.map.use(0)
        put(self.floor, "light", matrix)
        put(self.floor, "weight", weight)
        self.plane.render()

    def joined(self):
        read = lambda target, k=0: np.frombuffer(target.read(components=4, attachment=k, dtype="f4"), np.float32).reshape(SIDE, SIDE, 4)[::-1]
        alpha, rgb, floor = read(self.surface)[..., 3:], read(self.target)[..., :3], read(self.ground)
        dark = (1 - alpha) * np.where(floor[..., 1:2] > 0.5, 1 - floor[..., :1] / np.maximum(floor[..., 1:2], 1e-3), 0)
        out = np.concatenate([rgb * alpha, alpha + dark], 2)
        return out.reshape(SIDE // 2, 2, SIDE // 2, 2, 4).mean((1, 3))


def dome(rng):
    """Directions over the half sphere, evenly, turned by chance."""
    k = np.arange(SKY) + 0.5
    z, phi = 1 - 0.97 * k / SKY, np.pi * (1 + 5**0.5) * k + rng.uniform(0, 6.3)
    return np.stack([np.cos(phi) * np.sqrt(1 - z * z), np.sin(phi) * np.sqrt(1 - z * z), z], 1)


def put(program, name, value):
    if name in program and isinstance(value, int):
        program[name] = value
    elif name in program:
        value = np.asarray(value, np.float32)
        program[name].write((value.T if value.ndim == 2 else value).tobytes())
