"""Draws actors into a baked scene with OpenGL (software or hardware, headless through EGL).

A scene comes as light passes in linear radiance (baked once, without actors): `fill` (sky or
ambient light) and `key` (the one light that throws shadows: sun or street lamp), plus optional
`extra` passes. A frame is their weighted sum, the key darkened where actors throw shadows, the
fill where they stand close, and the actors drawn over it with the depth of the scene.
Knows nothing of clips or of what the actors are.
"""

import cv2
import moderngl
import numpy as np

from .mesh import Mesh

WIDTH, HEIGHT, SAMPLES = 640, 360, 4
SHADOW = 1280

ACTOR_VERTEX = """
#version 330
uniform mat4 clip_from_world;
in vec3 pos; in vec3 nrm; in vec3 col; in vec3 rest; in vec2 mat;
out vec3 p; out vec3 n; out vec3 c; out vec3 r; out vec2 m;
void main() { gl_Position = clip_from_world * vec4(pos, 1); p = pos; n = nrm; c = col; r = rest; m = mat; }
"""
NOISE = """
float hash(vec3 p) { p = fract(p * .3183099 + .1); p *= 17.0; return fract(p.x * p.y * p.z * (p.x + p.y + p.z)); }
float noise(vec3 x) {
  vec3 i = floor(x), f = fract(x); f = f * f * (3.0 - 2.0 * f);
  return mix(mix(mix(hash(i), hash(i + vec3(1,0,0)), f.x), mix(hash(i + vec3(0,1,0)), hash(i + vec3(1,1,0)), f.x), f.y),
             mix(mix(hash(i + vec3(0,0,1)), hash(i + vec3(1,0,1)), f.x), mix(hash(i + vec3(0,1,1)), hash(i + vec3(1,1,1)), f.x), f.y), f.z);
}
"""
SHADOWING = """
uniform sampler2DShadow moving_shadow; uniform sampler2DShadow fixed_shadow; uniform mat4 light_from_world;
float lit(sampler2DShadow map, vec3 world, float bias) {
  vec4 q = light_from_world * vec4(world, 1);
  if (q.w <= 0.0) return 0.0;
  vec3 s = q.xyz / q.w * .5 + .5;
  if (any(lessThan(s, vec3(0))) || any(greaterThan(s, vec3(1)))) return 1.0;
  float px = .6 / float(textureSize(map, 0).x);
  return .5 * (texture(map, vec3(s.xy + px, s.z - bias)) + texture(map, vec3(s.xy - px, s.z - bias)));
}
"""
LIGHTS = """
uniform vec3 key_colour; uniform vec3 key_at; uniform float key_is_point; uniform vec3 fill_colour; uniform vec3 extra_colour;
uniform vec3 eye;
void key_light(vec3 p, out vec3 dir, out float fall) {
  vec3 d = key_at - p * key_is_point; float len = length(d); dir = d / len;
  fall = mix(1.0, 1.0 / (len * len), key_is_point);
}
"""
ACTOR_FRAGMENT = "#version 330\n" + NOISE + SHADOWING + LIGHTS + """
in vec3 p; in vec3 n; in vec3 c; in vec3 r; in vec2 m; out vec4 colour;
void main() {
  vec3 nn = normalize(n + 1e-6), flat_n = nn; float grain = .5;
  if (m.y > .02) {  // folds and dirt
    vec3 q = r * 9.0; float a = noise(q), b = noise(q + 31.7); grain = a;
    nn = normalize(nn + (vec3(a, b, fract(a + b)) - .5) * m.y * 1.3);
  }
  vec3 view = normalize(eye - p);
  if (dot(nn, view) < -0.2) nn = -nn;
  vec3 albedo = c * (.9 + .2 * grain);
  vec3 dir; float fall; key_light(p, dir, fall);
  float sun = max(dot(nn, dir), 0.0) * fall * lit(moving_shadow, p + flat_n * .02, .0015) * lit(fixed_shadow, p, .0025);
  float up = .5 + .5 * nn.z;
  float low = smoothstep(-.25, .9, p.z);           // close to the ground less sky comes in
  vec3 fill = fill_colour * (mix(.35, 1.0, up) * mix(.72, 1.0, low)) + extra_colour * (.6 + .4 * nn.y * -1.0);
  vec3 light = fill + key_colour * sun / 3.14159 + key_colour * fall * .05 * (1.0 - up);
  vec3 h = normalize(dir + view);
  float spec = pow(max(dot(nn, h), 0.0), 60.0) * m.x * 2.0 * sun;
  float fresnel = m.x * (.06 + .5 * pow(1.0 - max(dot(nn, view), 0.0), 4.0));
  vec3 mirror = reflect(-view, nn);
  vec3 seen = fill_colour * mix(.25, 1.25, smoothstep(-.15, .35, mirror.z));
  colour = vec4(albedo * light + fresnel * seen + key_colour * spec * .12, 1);
}
"""
def look_at(eye, target, up=(0, 0, 1)):
    eye, target = np.asarray(eye, float), np.asarray(target, float)
    f = target - eye
    f /= np.linalg.norm(f)
    s = np.cross(f, up)
    s /= np.linalg.norm(s)
    u = np.cross(s, f)
    m = np.eye(4)
    m[0, :3], m[1, :3], m[2, :3] = s, u, -f
    m[:3, 3] = -m[:3, :3] @ eye
    return m


def perspective(fov_x_deg, aspect, near=0.5, far=120.0):
    fx = 1 / np.tan(np.deg2rad(fov_x_deg) / 2)
    m = np.zeros((4, 4))
    m[0, 0], m[1, 1] = fx, fx * aspect
    m[2, 2], m[2, 3], m[3, 2] = (far + near) / (near - far), 2 * far * near / (near - far), -1
    return m


def orthographic(half_x, half_y, near, far):
    m = np.eye(4)
    m[0, 0], m[1, 1] = 1 / half_x, 1 / half_y
    m[2, 2], m[2, 3] = -2 / (far - near), -(far + near) / (far - near)
    return m


def camera_matrix(camera):
    return perspective(camera["fov_x_deg"], WIDTH / HEIGHT) @ look_at(camera["eye"], camera["target"])


def project(camera, points):
    """World points to normalised picture coordinates (x right, y down)."""
    points = np.atleast_2d(points)
    q = np.c_[points, np.ones(len(points))] @ camera_matrix(camera).T
    return np.stack([q[:, 0] / q[:, 3] * 0.5 + 0.5, 0.5 - q[:, 1] / q[:, 3] * 0.5], 1)


class Stage:
    def __init__(self, scene, passes, crowns=()):
        """`scene` as in scenes.py; `passes`: name -> (HEIGHT, WIDTH, 3) float32, linear.
        `crowns`: meshes that never move in this clip; they are drawn into the passes once."""
        self.scene = scene
        self.gl = gl = moderngl.create_standalone_context(backend="egl")
        gl.enable(moderngl.DEPTH_TEST)
        self.actor_program = gl.program(vertex_shader=ACTOR_VERTEX, fragment_shader=ACTOR_FRAGMENT)
        self.depth_program = gl.program(vertex_shader=ACTOR_VERTEX, fragment_shader="""
            #version 330
            in vec3 p; in vec3 n; in vec3 c; in vec3 r; in vec2 m; out vec4 colour; void main() { colour = vec4(p, 1); }""")
        self.colour = gl.renderbuffer((WIDTH, HEIGHT), 4, samples=SAMPLES, dtype="f2")
        self.target = gl.framebuffer([self.colour], gl.depth_renderbuffer((WIDTH, HEIGHT), samples=SAMPLES))
        self.plain = gl.texture((WIDTH, HEIGHT), 4, dtype="f2")
        self.resolved = gl.framebuffer([self.plain])
        self.shadows = {name: self._shadow_map() for name in ("moving", "fixed")}
        self.fixed = self._upload(scene["geometry"])
        self.camera = camera_matrix(scene["camera"])
        self.light = self._light_matrix()
        self._draw_shadow("fixed", [self._upload(scene.get("shadow_geometry", scene["geometry"]))])
        self.place = self._places()
        self.passes = dict(passes, fill=passes["fill"] * np.where(self.place[..., 3:] < 0.5, scene.get("sky_gain", 1.0), 1.0).astype("f4"))
        self.shadow_spot = self._shadow_spots()
        self.kept = {}
        if crowns:
            self._settle(Mesh.join(crowns))

    def _settle(self, mesh):
        """Makes a mesh part of the empty scene: of its light, its depth and its shadows."""
        fill, key = (self.frame([mesh], fill=f, key=k) for f, k in ((1.0, 0.0), (0.0, 1.0)))
        self.passes.update(fill=fill, key=key)
        self.fixed = self._upload(Mesh.join([self.scene["geometry"], mesh]))
        self._draw_shadow("fixed", [self.fixed])
        self.place = self._places()
        self.shadow_spot = self._shadow_spots()

    def _shadow_map(self):
        depth = self.gl.depth_texture((SHADOW, SHADOW))
        depth.compare_func = "<="
        depth.filter = (moderngl.LINEAR, moderngl.LINEAR)
        depth.repeat_x = depth.repeat_y = False
        return depth, self.gl.framebuffer(depth_attachment=depth)

    def _light_matrix(self):
        key, focus = self.scene["key"], np.asarray(self.scene["focus"], float)
        if key["kind"] == "sun":
            eye = focus + np.asarray(key["direction"]) / np.linalg.norm(key["direction"]) * 40
            reach = self.scene["reach_m"]
            return orthographic(reach, reach, 1, 90) @ look_at(eye, focus)
        up = (0, 1, 0) if abs(focus[2] - key["at"][2]) > 3 * np.hypot(*(focus - key["at"])[:2]) else (0, 0, 1)
        return perspective(key.get("spread_deg", 130), 1.0, 0.3, 60) @ look_at(key["at"], focus, up)

    def _upload(self, mesh):
        data = np.concatenate([mesh.pos, mesh.nrm, mesh.col, mesh.rest, mesh.mat], 1).astype("f4")
        buffer, index = self.gl.buffer(data.tobytes()), self.gl.buffer(mesh.index.astype("i4").tobytes())
        layout = [(buffer, "3f 3f 3f 3f 2f", "pos", "nrm", "col", "rest", "mat")]
        return (self.gl.vertex_array(self.actor_program, layout, index, skip_errors=True),
                self.gl.vertex_array(self.depth_program, layout, index, skip_errors=True), buffer, index)

    def _draw_shadow(self, name, things):
        _, frame = self.shadows[name]
        frame.use()
        frame.clear(depth=1.0)
        self._put(self.depth_program, "clip_from_world", self.light)
        for thing in things:
            thing[1].render()

    def _places(self):
        """World position of every pixel of the empty scene (w = 0: sky), rows from the top."""
        texture = self.gl.texture((WIDTH, HEIGHT), 4, dtype="f4")
        frame = self.gl.framebuffer([texture], self.gl.depth_renderbuffer((WIDTH, HEIGHT)))
        frame.use()
        frame.clear(0, 0, 0, 0)
        self._put(self.depth_program, "clip_from_world", self.camera)
        self.fixed[1].render()
        return np.frombuffer(texture.read(), "f4").reshape(HEIGHT, WIDTH, 4)[::-1].copy()

    def _shadow_spots(self):
        """Where each pixel of the empty scene lies in the shadow map: x, y in texels, and depth."""
        q = np.concatenate([self.place[..., :3], np.ones((HEIGHT, WIDTH, 1), "f4")], -1) @ self.light.T.astype("f4")
        s = q[..., :3] / np.maximum(q[..., 3:], 1e-6) * 0.5 + 0.5
        outside = (self.place[..., 3] < 0.5) | (q[..., 3] <= 0) | (s < 0).any(-1) | (s > 1).any(-1)
        s[outside] = (-1, -1, 0)
        return s[..., 0] * SHADOW - 0.5, s[..., 1] * SHADOW - 0.5, s[..., 2] - 0.0012

    @staticmethod
    def _put(program, name, value):
        if name not in program:
            return
        value = np.asarray(value, "f4")
        program[name].write((value.T if value.ndim == 2 and value.shape == (4, 4) else value).tobytes())

    def _bind(self, program, textures):
        for unit, (name, texture) in enumerate(textures.items()):
            if name in program:
                texture.use(unit)
                program[name].value = unit
        self._put(program, "light_from_world", self.light)

    def frame(self, actors, contacts=(), fill=1.0, key=1.0, extra=0.0):
        """One frame, linear, (HEIGHT, WIDTH, 3) float32. `actors` are meshes; one given as
        (name, mesh) does not change and is uploaded once. `contacts`: (x, y, radius, strength)."""
        things, passing, boxes = [], [], []
        for actor in actors:
            if isinstance(actor, tuple):
                if actor[0] not in self.kept:
                    self.kept[actor[0]] = self._upload(actor[1])
                things.append(self.kept[actor[0]])
                actor = actor[1]
            else:
                passing.append(actor)
            boxes.append(self._reach(actor))
        boxes = [b for b in boxes if b is not None]
        light = self._back(contacts, fill, key, extra)
        if not boxes:
            return light
        low, high = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
        x0, y0 = np.maximum(np.floor(low) - 2, 0).astype(int)
        x1, y1 = np.minimum(np.ceil(high) + 2, (WIDTH, HEIGHT)).astype(int)
        if passing:
            things.append(self._upload(Mesh.join(passing)))
        self._draw_shadow("moving", things)
        part = (slice(y0, y1), slice(x0, x1))
        light[part] -= self._shade(part) * (self.passes["key"][part] * key)
        area = (int(x0), int(HEIGHT - y1), int(x1 - x0), int(y1 - y0))
        self.target.scissor = self.resolved.scissor = area
        self._front(things, fill, key, extra)
        self.resolved.use()
        self.gl.copy_framebuffer(self.resolved, self.target)
        raw = np.frombuffer(self.resolved.read(viewport=area, components=4, dtype="f2"), "f2").reshape(area[3], area[2], 4)
        raw = np.nan_to_num(raw[::-1].astype(np.float32), nan=0.0, posinf=60.0)
        light[part] = light[part] * (1 - raw[..., 3:]) + raw[..., :3]
        if passing:
            for item in things[-1]:
                item.release()
        return light

    def _reach(self, mesh):
        """The part of the picture that a mesh or its shadow on the ground can touch, or None."""
        low, high = mesh.pos.min(axis=0), mesh.pos.max(axis=0)
        corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
        key = self.scene["key"]
        if key["kind"] == "sun":
            away = np.tile(np.asarray(key["direction"], float), (8, 1))
        else:
            away = np.asarray(key["at"]) - corners
        down = corners - away * ((corners[:, 2:] - 0.0) / np.maximum(away[:, 2:], 0.3))
        down = low + np.clip(down - low, -9, 9)  # long shadows at a lamp's edge are faint
        q = np.c_[np.concatenate([corners, down]), np.ones(16)] @ self.camera.T
        ahead = q[:, 3] > 0.4
        if not ahead.any():
            return None
        p = np.stack([q[ahead, 0] / q[ahead, 3] * .5 + .5, .5 - q[ahead, 1] / q[ahead, 3] * .5], 1) * (WIDTH, HEIGHT)
        if not ahead.all():
            p = np.concatenate([p, [[0, HEIGHT], [WIDTH, HEIGHT]]])
        low, high = p.min(axis=0), p.max(axis=0)
        if high[0] < 0 or high[1] < 0 or low[0] > WIDTH or low[1] > HEIGHT:
            return None
        return low, high

    def _shade(self, part):
        """Share of the key light that the actors take away, in a part of the picture."""
        depth = np.frombuffer(self.shadows["moving"][0].read(), "f4").reshape(SHADOW, SHADOW)
        x, y, own = (s[part] for s in self.shadow_spot)
        dark = np.zeros(own.shape, np.float32)
        for dx, dy in ((-.6, -.6), (.6, -.6), (-.6, .6), (.6, .6)):
            dark += own > cv2.remap(depth, x + np.float32(dx), y + np.float32(dy), cv2.INTER_NEAREST, borderValue=1.0)
        return (cv2.GaussianBlur(dark, (3, 3), 0.7) * 0.25)[..., None]

    def _back(self, contacts, fill, key, extra):
        """The empty scene, darker where actors stand close."""
        light = self.passes["fill"] * np.float32(fill)
        for cx, cy, radius, strength in contacts:
            u, v = project(self.scene["camera"], (cx, cy, 0.1))[0] * (WIDTH, HEIGHT)
            reach = int(radius * 1.7 * self.scale_at(cx, cy)) + 2
            if not (-reach < u < WIDTH + reach and -reach < v < HEIGHT + reach):
                continue
            rows, cols = slice(max(0, int(v) - reach), int(v) + reach), slice(max(0, int(u) - reach), int(u) + reach)
            p = self.place[rows, cols]
            k = np.clip(1 - ((p[..., 0] - cx) ** 2 + (p[..., 1] - cy) ** 2) / (2.6 * radius**2), 0, 1)
            light[rows, cols] *= (1 - strength * k * k * np.clip(1 - (p[..., 2] - 0.2) * 2, 0, 1) * p[..., 3])[..., None]
        light += self.passes["key"] * np.float32(key)
        if extra:
            light += self.passes["extra"] * np.float32(extra)
        return light

    def scale_at(self, x, y):
        """Pixels a metre at a ground point."""
        camera = self.scene["camera"]
        away = np.linalg.norm(np.array([x, y, 0.1]) - camera["eye"])
        return WIDTH / 2 / np.tan(np.deg2rad(camera["fov_x_deg"]) / 2) / max(away, 1.0)

    def _front(self, things, fill, key, extra):
        self.target.use()
        self.target.clear(0, 0, 0, 0, depth=1.0)
        self.target.color_mask = (False,) * 4
        self.target.use()  # a mask takes effect when its framebuffer is bound
        self._put(self.depth_program, "clip_from_world", self.camera)
        self.fixed[1].render()
        self.target.color_mask = (True,) * 4
        self.target.use()
        p, scene = self.actor_program, self.scene
        self._bind(p, {"moving_shadow": self.shadows["moving"][0], "fixed_shadow": self.shadows["fixed"][0]})
        self._put(p, "clip_from_world", self.camera)
        self._put(p, "eye", scene["camera"]["eye"])
        light = scene["key"]
        point = light["kind"] != "sun"
        at = np.asarray(light["at"] if point else light["direction"], float)
        self._put(p, "key_at", at)
        p["key_is_point"].value = float(point)
        self._put(p, "key_colour", np.asarray(light["colour"]) * light["strength"] * key)
        self._put(p, "fill_colour", np.asarray(scene["fill"]["colour"]) * scene["fill"]["strength"] * fill)
        self._put(p, "extra_colour", np.asarray(scene.get("extra_on_actors", (0, 0, 0)), float) * extra)
        for thing in things:
            thing[0].render()
