"""Triangle soups: the one geometry form that both the bake (Cycles) and the stage (OpenGL) take.

World space: metres, z up, y away from the camera of most scenes. Colours are linear RGB.
Knows nothing of scenes, people or rendering.
"""

import numpy as np


class Mesh:
    """Parallel arrays of vertices and the triangles' `index` into them. `rest` is where the shaders take their noise from, so
    that folds and scratches move with the thing. `mat` holds (gloss, noise amplitude)."""

    FIELDS = ("pos", "nrm", "col", "rest", "mat", "uv")
    WIDTH = {"pos": 3, "nrm": 3, "col": 3, "rest": 3, "mat": 2, "uv": 2}

    def __init__(self, **fields):
        for name in self.FIELDS:
            value = fields.get(name)
            if value is None:
                value = np.zeros((0, self.WIDTH[name]))
            setattr(self, name, np.asarray(value, dtype=np.float32))
        index = fields.get("index")
        self.index = np.arange(len(self.pos), dtype=np.int32) if index is None else np.asarray(index, np.int32).ravel()

    def __len__(self):
        return len(self.pos)

    @staticmethod
    def join(meshes):
        meshes = [m for m in meshes if len(m)]
        starts = np.cumsum([0] + [len(m) for m in meshes[:-1]])
        index = np.concatenate([m.index + start for m, start in zip(meshes, starts)]) if meshes else None
        return Mesh(index=index, **{f: np.concatenate([getattr(m, f) for m in meshes]) for f in Mesh.FIELDS if meshes})

    def loose(self):
        """The same with no vertex shared."""
        return Mesh(**{f: getattr(self, f)[self.index] for f in self.FIELDS})

    def copy(self):
        return Mesh(index=self.index, **{f: getattr(self, f).copy() for f in self.FIELDS})

    def moved(self, at=(0, 0, 0), yaw=0.0, scale=1.0, pitch=0.0, roll=0.0):
        """The mesh turned by roll (x), pitch (y), yaw (z), in radians, then put at `at`."""
        turn = rot_z(yaw) @ rot_y(pitch) @ rot_x(roll)
        out = self.copy()
        out.pos = ((self.pos * scale) @ turn.T + np.asarray(at)).astype(np.float32)
        out.nrm = (self.nrm @ turn.T).astype(np.float32)
        return out

    def painted(self, col=None, gloss=None, noise=None):
        out = self.copy()
        if col is not None:
            out.col[:] = col
        if gloss is not None:
            out.mat[:, 0] = gloss
        if noise is not None:
            out.mat[:, 1] = noise
        return out


def rot_x(a):
    c, s = np.cos(a), np.sin(a)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rot_y(a):
    c, s = np.cos(a), np.sin(a)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rot_z(a):
    c, s = np.cos(a), np.sin(a)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def soup(vertices, faces, col, gloss=0.0, noise=0.15, smooth=True, uv=None):
    """A mesh from shared vertices and triangles; `col` is one colour or one a vertex."""
    vertices = np.asarray(vertices, float)
    faces = np.asarray(faces, int)
    corners = vertices[faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    col = np.asarray(col, float)
    if smooth:
        normals = np.zeros_like(vertices)
        for k in range(3):
            np.add.at(normals, faces[:, k], flat)
        pos, index = vertices, faces
        colours = np.tile(col, (len(vertices), 1)) if col.ndim == 1 else col
        uvs = uv
    else:
        normals = np.repeat(flat, 3, axis=0)
        pos, index = corners.reshape(-1, 3), None
        colours = np.tile(col, (len(pos), 1)) if col.ndim == 1 else col[faces].reshape(-1, 3)
        uvs = None if uv is None else np.asarray(uv)[faces].reshape(-1, 2)
    normals = normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9)
    return Mesh(pos=pos, nrm=normals, col=colours, rest=pos, mat=np.tile([gloss, noise], (len(pos), 1)),
                uv=np.zeros((len(pos), 2)) if uvs is None else uvs, index=index)


def grid(points, col, closed_u=False, **kw):
    """A surface from a (rows, columns, 3) grid of points; columns may close to a tube."""
    points = np.asarray(points, float)
    rows, cols = points.shape[:2]
    index = np.arange(rows * cols).reshape(rows, cols)
    right = np.roll(index, -1, axis=1) if closed_u else index[:, 1:]
    left = index if closed_u else index[:, :-1]
    a, b, c, d = left[:-1], right[:-1], right[1:], left[1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    col = np.asarray(col, float)
    if col.ndim == 3:
        col = col.reshape(-1, 3)
    return soup(points.reshape(-1, 3), faces, col, **kw)


def box(center, size, col, yaw=0.0, **kw):
    x, y, z = np.asarray(size, float) / 2
    v = np.array([[sx * x, sy * y, sz * z] for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)])
    f = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
         [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    return soup(v, f, col, smooth=False, **kw).moved(center, yaw)


def quad(corners, col, uv_size=None, **kw):
    """A flat rectangle; corners anticlockwise. `uv_size` is its size in texture repeats."""
    corners = np.asarray(corners, float)
    u, v = uv_size or (1, 1)
    uv = [[0, 0], [u, 0], [u, v], [0, v]]
    return soup(corners, [[0, 1, 2], [0, 2, 3]], col, smooth=False, uv=uv, **kw)


def tube(a, b, r0, r1, col, sides=12, caps=True, **kw):
    a, b = np.asarray(a, float), np.asarray(b, float)
    axis = (b - a) / (np.linalg.norm(b - a) + 1e-9)
    side = np.cross(axis, [0, 0, 1] if abs(axis[2]) < 0.9 else [1, 0, 0])
    side /= np.linalg.norm(side)
    up = np.cross(axis, side)
    t = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.outer(np.cos(t), side) + np.outer(np.sin(t), up)
    rows = [a + ring * r0, b + ring * r1]
    parts = [grid(np.stack(rows)[:, ::-1], col, closed_u=True, **kw)]
    if caps:
        parts.append(fan(a + ring * r0, -axis, col, **kw))
        parts.append(fan(b + ring * r1, axis, col, **kw))
    return Mesh.join(parts)


def fan(ring, normal, col, **kw):
    ring = np.asarray(ring)
    middle = ring.mean(axis=0, keepdims=True)
    v = np.concatenate([ring, middle])
    n = len(ring)
    faces = [[i, (i + 1) % n, n] for i in range(n)]
    out = soup(v, faces, col, smooth=False, **kw)
    out.nrm[:] = normal
    return out


def blob(size, col, seed=0, lump=0.12, rows=14, cols=20, flat_bottom=0.25, **kw):
    """A lumpy ellipsoid that stands on z = 0: bags, heaps, bushes, fruit."""
    rng = np.random.default_rng(seed)
    theta = np.linspace(0.001, np.pi - 0.001, rows)
    phi = np.linspace(0, 2 * np.pi, cols, endpoint=False)
    tt, pp = np.meshgrid(theta, phi, indexing="ij")
    direction = np.stack([np.sin(tt) * np.cos(pp), np.sin(tt) * np.sin(pp), np.cos(tt)], -1)
    radius = np.ones(tt.shape)
    for k in range(1, 7):
        wave = rng.normal(size=3) * (1.2 + 0.9 * k)
        radius += lump / k**0.6 * np.sin(direction @ wave + rng.uniform(0, 6.3))
    p = direction * radius[..., None] * np.asarray(size) / 2
    low = -np.asarray(size)[2] / 2 * (1 - flat_bottom)
    p[..., 2] = np.maximum(p[..., 2], low) - low
    return grid(p[:, ::-1], col, closed_u=True, **kw)
