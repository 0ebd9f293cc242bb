"""Actors on a timeline: walkers with what they carry, vehicles, things that stand. An actor gives,
for a moment, its meshes and its contact spots (x, y, radius m, strength) for soft shadows.
"""

import numpy as np

from . import human, things


class Thing:
    """Something that stands still, from `since` to `until`."""

    def __init__(self, name, mesh, at, yaw=0.0, since=-1e9, until=1e9, radius=0.35):
        self.mesh = mesh.moved(at, yaw)
        self.name, self.at, self.since, self.until, self.radius = name, at, since, until, radius

    def at_time(self, t):
        if not self.since <= t < self.until:
            return [], []
        return [(self.name, self.mesh)], [(self.at[0], self.at[1], self.radius, 0.55)]


class Walker:
    """A person who follows a script of steps from `start` on, on ground height z:
    ("walk", (x, y), speed) | ("stand", seconds, pose) | ("act", seconds, pose): into the pose and
    out again | ("face", degrees) turns within the next step. Present only while the script runs."""

    def __init__(self, person, z, start_s, at, script, phase=0.0, idle_seed=0, carry=None):
        self.person, self.z, self.start_s = person, z, start_s
        self.carry = carry  # {"mesh", "height", "hand", "from_s", "until_s", "name"}
        self.rest = None    # where the carried thing came to rest
        self.legs = []
        self.idle = np.random.default_rng(idle_seed).uniform(0, 6.28, 6)
        t, place, heading, walked, pose = start_s, np.array(at, float), None, phase, human.STAND
        for step in script:
            kind = step[0]
            if kind == "walk":
                to, speed = np.array(step[1], float), step[2] if len(step) > 2 else 1.25
                gap = np.linalg.norm(to - place)
                new = np.arctan2(*(to - place)[::-1])
                self.legs.append(dict(kind=kind, t0=t, t1=t + gap / speed, a=place, b=to, h0=heading if heading is not None else new,
                                      h1=new, w0=walked, w1=walked + gap / human.STRIDE_M, from_pose=pose))
                t, place, heading, walked, pose = t + gap / speed, to, new, walked + gap / human.STRIDE_M, None
            elif kind == "face":
                new = np.deg2rad(step[1])
                self.legs.append(dict(kind="stand", t0=t, t1=t + 0.6, a=place, b=place, h0=heading if heading is not None else new, h1=new,
                                      pose=human.STAND, from_pose=pose, w0=walked))
                t, heading, pose = t + 0.6, new, human.STAND
            else:
                h = heading if heading is not None else 0.0
                self.legs.append(dict(kind=kind, t0=t, t1=t + step[1], a=place, b=place, h0=h, h1=h, pose=step[2], from_pose=pose, w0=walked))
                t, heading = t + step[1], h
                pose = step[2] if kind == "stand" else human.STAND
        self.end_s = t

    def leg(self, t):
        for leg in self.legs:
            if t < leg["t1"]:
                return leg
        return None

    def pose_at(self, t):
        leg = self.leg(t)
        u = (t - leg["t0"]) / max(leg["t1"] - leg["t0"], 1e-6)
        since, left = t - leg["t0"], leg["t1"] - t
        before = leg["from_pose"] if leg["from_pose"] is not None else human.walk(leg["w0"])
        if leg["kind"] == "walk":
            pose = human.walk(leg["w0"] + (leg["w1"] - leg["w0"]) * u, 0.35 if self.holds(t) else 1.0)
            if leg["from_pose"] is not None:
                pose = human.blend(before, pose, since / 0.45)
            if self.legs.index(leg) + 1 < len(self.legs):
                pose = human.blend(human.STAND, pose, left / 0.3 + 0.35)
        elif leg["kind"] == "act":
            half = (leg["t1"] - leg["t0"]) / 2
            if since < half:
                pose = human.blend(before, leg["pose"], since / (half * 0.85))
            else:
                pose = human.blend(leg["pose"], human.STAND, (since - half) / (half * 0.9))
        else:
            pose = human.blend(before, leg["pose"], since / 0.6)
            pose = self.breathe(pose, t)
        place = leg["a"] + (leg["b"] - leg["a"]) * u
        turn = (leg["h1"] - leg["h0"] + np.pi) % (2 * np.pi) - np.pi
        heading = leg["h0"] + turn * min(1.0, since / 0.5)
        return pose, place, heading

    def breathe(self, pose, t):
        """Nobody stands like a statue."""
        s = lambda k, period: np.sin(2 * np.pi * t / period + self.idle[k])
        out = dict(pose)
        out["lean"] = pose["lean"] + 1.5 * s(0, 5.1)
        out["head"] = pose["head"] + 5 * s(1, 7.3)
        out["twist"] = pose["twist"] + 7 * s(2, 9.7) + 3 * s(3, 3.9)
        out["arm"] = (pose["arm"][0] + 4 * s(4, 4.3), pose["arm"][1] + 5 * s(5, 3.7))
        out["elbow"] = (pose["elbow"][0] + 6 * s(5, 2.9), pose["elbow"][1] + 8 * s(4, 3.1))
        return out

    def holds(self, t):
        return self.carry is not None and self.carry["from_s"] <= t < self.carry["until_s"]

    def carried_at(self, hands):
        c = self.carry
        spot = (hands["l"] + hands["r"]) / 2 if c["hand"] == "both" else hands[c["hand"]]
        low = max(self.z, spot[2] - c["height"])
        return (spot[0], spot[1], low)

    def at_time(self, t):
        meshes, contacts = [], []
        if self.start_s <= t < self.end_s:
            pose, place, heading = self.pose_at(t)
            body, hands = self.person.mesh(pose, (*place, self.z), heading)
            meshes.append(body)
            contacts.append((*place, 0.38, 0.5))
            if self.holds(t):
                meshes.append(self.carry["mesh"].moved(self.carried_at(hands), heading))
        c = self.carry
        if c is not None and t >= c["until_s"] and c.get("stays", True) and t < c.get("gone_s", 1e9):
            if self.rest is None:
                self.rest = self.rest_place()
            meshes.append((f"{c['name']}", c["mesh"].moved(*self.rest)))
            contacts.append((self.rest[0][0], self.rest[0][1], 0.38, 0.6))
        return meshes, contacts

    def rest_place(self):
        pose, place, heading = self.pose_at(min(self.carry["until_s"], self.end_s - 1e-3))
        _, hands = self.person.mesh(pose, (*place, self.z), heading)
        x, y, _ = self.carried_at(hands)
        return (x, y, self.z), heading


class Vehicle:
    """Drives through (time, x) knots along a lane at `y`; `make(turn)` gives the mesh."""

    def __init__(self, make, y, knots, facing=1, z=0.0, half_length=2.2, name=None):
        self.make, self.y, self.z, self.facing, self.half = make, y, z, facing, half_length
        self.times, self.xs = np.array([k[0] for k in knots], float), np.array([k[1] for k in knots], float)
        self.name = name

    def x_at(self, t):
        """Smooth through the knots (monotone cubic), so that brakes and starts look so."""
        k = int(np.clip(np.searchsorted(self.times, t) - 1, 0, len(self.times) - 2))
        slope = np.diff(self.xs) / np.diff(self.times)
        m = np.zeros(len(self.xs))
        m[0], m[-1] = slope[0], slope[-1]
        for i in range(1, len(m) - 1):
            a, b = slope[i - 1], slope[i]
            m[i] = 0 if a * b <= 0 else 2 * a * b / (a + b)
        h = self.times[k + 1] - self.times[k]
        u = (t - self.times[k]) / h
        return float((2 * u**3 - 3 * u**2 + 1) * self.xs[k] + (u**3 - 2 * u**2 + u) * h * m[k]
                     + (-2 * u**3 + 3 * u**2) * self.xs[k + 1] + (u**3 - u**2) * h * m[k + 1])

    def at_time(self, t):
        if not self.times[0] <= t <= self.times[-1]:
            return [], []
        x = self.x_at(t)
        still = self.name and abs(x - self.x_at(min(t + 0.05, self.times[-1]))) < 1e-5
        yaw = 0 if self.facing > 0 else np.pi
        mesh = self.make(-x / 0.32).moved((x, self.y, self.z), yaw)
        spots = [(x + k * self.half * 0.6, self.y, 1.05, 0.5) for k in (-1, 0, 1)]
        return [(f"{self.name}@{x:.3f}", mesh) if still else mesh], spots


class Crown:
    """The leaves of a tree in wind of `amount_m(t)`."""

    def __init__(self, tree, amount_m):
        at, height, spread, seed = tree
        self.mesh = things.leaves(height, spread, 1500, seed).moved(at)
        self.amount_m = amount_m

    def at_time(self, t):
        return [things.swayed(self.mesh, t, self.amount_m(t))], []


class Along(Vehicle):
    """A vehicle on a lane along y (the lane scene)."""

    def at_time(self, t):
        if not self.times[0] <= t <= self.times[-1]:
            return [], []
        y = self.x_at(t)
        mesh = self.make(-y / 0.32).moved((self.y, y, self.z), np.pi / 2 * self.facing)
        return [mesh], [(self.y, y + k * self.half * 0.6, 1.05, 0.5) for k in (-1, 0, 1)]


class Thrown:
    """A thing that flies from a hand to its place on the ground and stays there."""

    def __init__(self, name, mesh, walker, hand_s, land_s, to, z):
        self.name, self.mesh, self.walker, self.hand_s, self.land_s, self.to = name, mesh, walker, hand_s, land_s, (*to, z)
        self.still = mesh.moved(self.to, 0.7)

    def at_time(self, t):
        if t < self.hand_s:
            return [], []
        if t >= self.land_s:
            return [(self.name, self.still)], [(self.to[0], self.to[1], 0.38, 0.6)]
        u = (t - self.hand_s) / (self.land_s - self.hand_s)
        pose, place, heading = self.walker.pose_at(self.hand_s)
        _, hands = self.walker.person.mesh(pose, (*place, self.walker.z), heading)
        a = (hands["l"] + hands["r"]) / 2 - [0, 0, 0.3]
        p = a + (np.array(self.to) - a) * u + [0, 0, 1.6 * u * (1 - u)]
        return [self.mesh.moved(p, 0.7 * u, pitch=0.9 * np.sin(np.pi * u))], []
