"""The scripted clips. Each function returns a Shot; `ALL` names them."""

import numpy as np

from . import human, things
from .film import Blind, Event, Shot
from .mesh import Mesh, box
from .people import person
from .play import Along, Thing, Thrown, Vehicle, Walker

Z = 0.15  # pavements lie a kerb's height above the road


def passer(seed, start_s, y, left=True, speed=None, x0=-9.5, x1=10.5, z=Z):
    """Someone who crosses the kerb or gate scene along the pavement at `y`."""
    speed = speed or float(np.random.default_rng(seed).uniform(1.1, 1.45))
    a, b = ((x0, y), (x1, y)) if left else ((x1, y), (x0, y))
    return Walker(person(seed), z, start_s, a, [("walk", b, speed)], phase=seed * 0.37)


def car_by(seed, start_s, y=5.0, facing=1, kind=None, speed=8.0, lights=False, x=14.0):
    """A car that passes on the road at `y`."""
    rng = np.random.default_rng(seed)
    paints = [(0.55, .55, .55), (0.03, .03, .035), (0.32, .03, .03), (0.05, .09, .22), (0.62, .62, .6), (0.18, .19, .2)]
    paint, kind = paints[rng.integers(len(paints))], kind or ("sedan", "hatch", "van")[rng.integers(3)]
    car = Vehicle(lambda turn: things.car(paint, kind, turn, lights), y, [(start_s, -x * facing), (start_s + 2 * x / speed, x * facing)], facing)
    car.beams = lights
    return car


def bag_carry(seed, until_s, name="bag", size=(0.5, 0.44, 0.52), col=(0.014, .014, .017), **more):
    return dict(mesh=things.bag(seed, size, col), height=size[2] * 0.97, hand="r", from_s=-1.0, until_s=until_s, name=name, **more)


def bag_left():
    stoop_at = 4.0 + 10.9 / 1.25
    w = Walker(person(101, sex="male", shirt=(0.10, .22, .12), trousers=(0.03, .04, .08), jacket=True, skirt=False, weight=0.3), Z, 4.0, (-8.6, 9.3),
               [("walk", (2.3, 9.5), 1.25), ("act", 2.6, human.STOOP), ("stand", 1.0, human.STAND), ("walk", (10.5, 8.9), 1.3)], carry=bag_carry(5, stoop_at + 1.2))
    (spot, yaw) = w.rest_place()
    actors = [w, passer(11, 0.0, 10.4, False), passer(12, 22.0, 8.7), passer(13, 27.5, 10.5, False), passer(14, 29.5, 10.2, False), passer(15, 38.0, 8.5), car_by(16, 8.0), car_by(17, 31.0),
              car_by(18, 19.0, 4.9, kind="van")]
    return Shot("bag-left", "kerb-day", 46, "a walker sets down a rubbish bag on the pavement and leaves; passers-by later hide it for moments", actors,
                [Event("waste.exposed", w.carry["until_s"], w.carry["mesh"].moved(spot, yaw), act="in_progress")], seed=101)


def quiet_day():
    rng = np.random.default_rng(202)
    actors = []
    for k, t in enumerate(np.cumsum(rng.uniform(2.0, 6.5, 10)) - 6):
        actors.append(passer(30 + k, t, rng.uniform(8.2, 10.8), k % 2 == 0))
    for k, t in enumerate((2.0, 9.5, 17.0, 26.0, 33.0)):
        actors.append(car_by(50 + k, t, 5.0))
    return Shot("quiet-day", "kerb-day", 40, "people walk by and cars pass; nothing happens", actors, seed=202)


def walker_with_bag(look, start_s, at, to, off, speed=1.25, **carry):
    """Someone who walks from `at` to `to`, sets a bag down there and goes on to `off`. Gives them, the bag at rest, and since when."""
    reach = float(np.hypot(to[0] - at[0], to[1] - at[1])) / speed
    down_s = start_s + reach + 1.2
    w = Walker(look, Z, start_s, at, [("walk", to, speed), ("act", 2.6, human.STOOP), ("stand", 0.8, human.STAND), ("walk", off, 1.3)],
               carry=bag_carry(until_s=down_s, **carry))
    spot, yaw = w.rest_place()
    return w, w.carry["mesh"].moved(spot, yaw), down_s


def bag_removed():
    w, mesh, down_s = walker_with_bag(person(111, sex="male", shirt=(.38, .04, .05), skirt=False), 2.0, (9.8, 9.0), (-0.8, 9.2), (-9.5, 9.4), seed=8, name="bag")
    take_s = 33.0
    spot = w.rest[0] if w.rest else w.rest_place()[0]
    w.carry["gone_s"] = take_s + 1.2
    cleaner = orange(112)
    walk_s = (9.5 + spot[0] - 0.45) / 1.2
    mesh_of_bag = w.carry["mesh"]
    c = Walker(cleaner, Z, take_s - walk_s, (-9.5, 9.3), [("walk", (spot[0] - 0.45, spot[1]), 1.2), ("act", 2.6, human.STOOP), ("walk", (9.8, 9.3), 1.2)],
               carry=dict(mesh=mesh_of_bag, height=0.5, hand="r", from_s=take_s + 1.2, until_s=1e6, name="bag-taken", stays=False))
    actors = [w, c, passer(21, 15.0, 8.5), passer(22, 25.0, 10.4, False), car_by(23, 20.0), car_by(24, 39.0)]
    return Shot("bag-removed", "kerb-day", 52, "a bag is set down; about 20 s later a cleaner picks it up: opened, then cleared", actors,
                [Event("waste.exposed", down_s, mesh, act="in_progress", end_s=take_s + 1.2)], seed=111)


def vendor_stall(x, y, seed=0, since=(0, 0, 0, 0), until=(1e9,) * 4, tag="stall"):
    """The four loads of a fruit stall as things that come and go: table, its crates, ground crates, parasol."""
    fruits = [(.75, .24, .02), (.55, .03, .02), (.30, .45, .04), (.80, .55, .05), (.25, .03, .10)]
    on_table = [things.crate(fruits[(i + seed) % 5], seed + i).moved((x - .5 + .5 * i, y, Z + .77), np.pi / 2) for i in range(3)]
    on_ground = [things.crate(fruits[(i + 2 + seed) % 5], seed + 3 + i).moved((x - .62 + .62 * i, y - .62, Z)) for i in range(3)]
    loads = [things.table(cloth=(.50, .05, .06)).moved((x, y, Z)), Mesh.join(on_table), Mesh.join(on_ground), things.parasol().moved((x - .35, y + 1.0, Z))]
    out = []
    for k, (name, mesh) in enumerate(zip(("table", "fruit", "crates", "parasol"), loads)):
        t = Thing(f"{tag}-{name}", mesh, (0, 0, 0), since=since[k], until=until[k], radius=0.75)
        t.at = (x - .35, y + 1.0) if k == 3 else (x, y)
        out.append(t)
    return out, Mesh.join(loads)


def carrying(mesh, height, from_s, until_s, name):
    return dict(mesh=mesh, height=height, hand="both", from_s=from_s, until_s=until_s, name=name, stays=False)


def stall_setup():
    x, y = -1.2, 9.6
    set_s, pack_s = (7.4, 11.6, 14.0, 9.2), (68.0, 63.5, 62.0, 66.0)
    parts, mesh = vendor_stall(x, y, 0, set_s, pack_s)
    man = person(121, sex="male", shirt=(.16, .17, .19), trousers=(.02, .02, .025), skirt=False, sleeves="long", hat=(.05, .08, .2))
    woman = person(122, sex="female", shirt=(.45, .22, .25), trousers=(.06, .07, .09), skirt=False, vest=(.05, .2, .1))
    folded = box((0, 0, .35), (.1, 1.4, .7), (.5, .5, .5))
    furled = things.tube((0, 0, -.6), (0, 0, 1.3), .09, .05, (.62, .04, .04))
    box1 = things.crate((.75, .24, .02), 1)
    man_walk = (x + 0.9 + 9.5) / 1.45
    vendor = Walker(man, Z, 7.4 - 0.9 - man_walk, (-9.5, 9.7), [("walk", (x + .9, y + .4), 1.45), ("face", -90), ("act", 1.8, human.STOOP), ("act", 2.0, human.REACH),
                    ("act", 2.0, human.REACH), ("stand", 44, human.STAND), ("stand", 6, human.STAND), ("act", 2.0, human.REACH), ("act", 2.0, human.STOOP), ("act", 1.6, human.REACH),
                    ("walk", (-9.5, 9.8), 1.4)], carry=carrying(folded, .75, -1e3, 7.4, "folded"), idle_seed=5)
    helper = Walker(woman, Z, 9.2 - 1.1 - (x - .9 + 9.5) / 1.45, (-9.5, 9.3), [("walk", (x - .9, y + .8), 1.45), ("act", 2.2, human.REACH), ("walk", (x - 1.2, y - .5), 1.2), ("face", 0),
                    ("act", 2.4, human.STOOP), ("act", 2.4, human.STOOP), ("walk", (-9.5, 8.9), 1.3)], carry=carrying(furled, 1.0, -1e3, 9.2, "furled"))
    def visitor(seed, start, stop, stay, side):
        a, b = (-9.5, 8.3) if side > 0 else (10.2, 8.4), (10.2, 8.4) if side > 0 else (-9.5, 8.3)
        return Walker(person(seed), Z, start, a, [("walk", (stop, y - 1.25), 1.3), ("face", 90), ("stand", stay * .4, human.TALK), ("act", 2.4, human.REACH), ("stand", stay * .5, human.TALK),
                      ("walk", b, 1.3)], idle_seed=seed)
    actors = parts + [vendor, helper, visitor(123, 17, x - .3, 6, 1), visitor(124, 28, x + .5, 8, -1), visitor(125, 41, x, 7, 1), passer(126, 24, 8.3, False), passer(127, 36, 8.2),
                      passer(128, 52, 10.9, False), passer(129, 57, 8.3), car_by(130, 12), car_by(131, 31), car_by(132, 55)]
    return Shot("stall-setup", "kerb-day", 76, "two people set up a fruit stall with a parasol, one attends it, three customers stop, it is packed up", actors,
                [Event("stall.occupying", set_s[0], mesh, end_s=64.0, tolerance_s=8.0, tolerance_norm=0.12)], seed=121, kbit_s=190)


def car_parks():
    paint = (.05, .09, .22)
    x = 1.2
    parked = Vehicle(lambda turn: things.car(paint, "sedan", turn), 6.05, [(2.0, -14), (6.5, -2.2), (8.5, x), (60, x)], name="parked")
    driver = Walker(person(141, sex="male", skirt=False), 0.0, 12.0, (x - .1, 4.75), [("walk", (x - 3.0, 4.8), 1.2), ("walk", (x - 3.6, 7.4), 1.2), ("walk", (x - 4.5, 9.5), 1.2), ("walk", (-9.8, 10.2), 1.3)])
    actors = [parked, driver, passer(142, 4.0, 9.0, False), passer(143, 22.0, 8.6), passer(144, 30.0, 10.1, False), car_by(145, 20.0, 3.6), car_by(146, 33.0, 3.7)]
    return Shot("car-parks", "kerb-day", 42, "a car parks at the kerb, the driver walks away, the car stays: nothing to report", actors, [], seed=141)


def people_wait():
    a = Walker(person(151), Z, -6.0, (-9, 9.2), [("walk", (-.3, 9.3), 1.3), ("face", 0), ("stand", 42, human.TALK), ("walk", (-9, 9), 1.3)], idle_seed=1)
    b = Walker(person(152), Z, -3.0, (10, 9.0), [("walk", (.75, 9.35), 1.35), ("face", 180), ("stand", 40, human.STAND), ("walk", (10, 9.3), 1.3)], idle_seed=9)
    actors = [a, b, passer(153, 8, 10.6), passer(154, 17, 8.3, False), passer(155, 29, 10.5, False), car_by(156, 12), car_by(157, 27)]
    return Shot("people-wait", "kerb-day", 52, "two people stand and talk for 40 s, then part: nothing to report", actors, [], seed=151)


def goods_out():
    x, y = 4.9, 10.55
    keeper = person(161, sex="male", shirt=(.5, .38, .12), trousers=(.1, .09, .07), skirt=False)
    crates = [things.crate(((.75, .24, .02), (.3, .45, .04), (.8, .55, .05), (.55, .03, .02))[i % 4], 20 + i) for i in range(4)]
    spots = [(x + .62 * i, y - .15 * (i % 2)) for i in range(4)]
    placed = [6.0, 11.0, 16.0, 21.0]
    actors, door = [], (x + 2.2, 11.2)
    for k, (spot, t) in enumerate(zip(spots, placed)):
        carton = things.carton((.55, .4, .36), k)
        pile = Mesh.join([carton.moved((*spot, Z)), crates[k].moved((*spot, Z + .36))])
        actors.append(Thing(f"goods{k}", pile, (0, 0, 0), since=t))
        actors[-1].at = spot
        way = float(np.hypot(door[0] - spot[0], door[1] - (spot[1] - .1))) / 1.2
        stand = (spot[0] + .55, spot[1] - .1)
        way = float(np.hypot(door[0] - stand[0], door[1] - stand[1])) / 1.2
        actors.append(Walker(keeper, Z, t - 0.9 - way, door, [("walk", stand, 1.2), ("act", 1.9, human.STOOP), ("walk", door, 1.2)],
                             carry=carrying(pile.moved((-spot[0], -spot[1], -Z)), .3, -1e3, t, f"load{k}")))
    mesh = Mesh.join([a.mesh for a in actors if isinstance(a, Thing)])
    actors += [passer(162, 3, 8.4), passer(163, 19, 8.8, False), passer(164, 27, 8.5), passer(165, 34, 8.9, False), car_by(166, 9), car_by(167, 30)]
    return Shot("goods-out", "kerb-day", 52, "a shopkeeper stacks boxes and fruit on the pavement before the bakery and goes in", actors,
                [Event("shopfront.overflow", placed[0], mesh)], seed=161)


def car_dumping():
    x, y = 0.9, 6.1
    lorry = Vehicle(lambda turn: things.truck((.62, .62, .60), turn), y, [(1.5, -14), (5.5, -1.5), (7.5, x), (21.5, x), (24.0, 4.0), (27.5, 16)], name="lorry", half_length=2.4)
    man = person(171, sex="male", shirt=(.05, .09, .25), trousers=(.1, .09, .07), skirt=False, jacket=False, weight=.3)
    side = (x - 1.6, 7.75)
    begin = 9.0
    walk_s = float(np.hypot(x + 1.6 - side[0], 7.5 - side[1])) / 1.2
    first = begin + walk_s + 0.6 + 1.6 + 0.6     # facing the load, taking a bag, turning
    script = [("walk", side, 1.2), ("face", -90), ("act", 1.6, human.REACH), ("face", 110), ("act", 1.5, human.THROW),
              ("face", -90), ("act", 1.6, human.REACH), ("face", 75), ("act", 1.5, human.THROW), ("walk", (x + 1.6, 7.5), 1.4)]
    w = Walker(man, Z, begin, (x + 1.6, 7.5), script)
    second = first + 1.5 + 0.6 + 1.6 + 0.6
    a, b = things.bag(31, (.52, .46, .5)), things.bag(33, (.46, .42, .46), (.02, .03, .09))
    spots = [(side[0] - .55, 9.25), (side[0] + .15, 9.45)]
    flights = [Thrown("d0", a, w, first + .7, first + 1.25, spots[0], Z), Thrown("d1", b, w, second + .7, second + 1.25, spots[1], Z)]
    class Load:
        """What the man holds between the lorry and the throw."""
        def at_time(self, t):
            for mesh, t0 in ((a, first), (b, second)):
                if t0 - 1.4 <= t < t0 + .7:
                    pose, place, heading = w.pose_at(t)
                    _, hands = w.person.mesh(pose, (*place, w.z), heading)
                    p = (hands["l"] + hands["r"]) / 2
                    return [mesh.moved((p[0], p[1], p[2] - .42), heading)], []
            return [], []
    both = Mesh.join([f.still for f in flights])
    actors = [lorry, w, Load()] + flights + [passer(172, 0.0, 10.3, False), passer(173, 28.0, 8.4), passer(174, 33.0, 10.4, False), car_by(175, 30, 4.9), car_by(176, 9.5, 3.2)]
    return Shot("car-dumping", "kerb-day", 46, "a small lorry stops, a man throws two bags on the pavement, the lorry leaves", actors,
                [Event("waste.exposed", flights[1].land_s, both, act="in_progress", tolerance_norm=0.10)], seed=171)


def clouds():
    """The sun goes and comes; the camera's exposure follows slowly."""
    rng = np.random.default_rng(7)
    knots = np.array([0, 4, 7, 13, 16, 22, 25, 31, 36, 44])
    sun = np.array([1, 1, .12, .12, .9, .9, .3, .3, 1, 1])
    share = lambda t: float(np.interp(t, knots, sun))
    sky = lambda t: 1.0 + .12 * (1 - share(t))
    lag = lambda t: 1 / (.55 + .45 * np.mean([share(max(0, t - d)) for d in (.5, 1.2, 2.0, 3.0)]))
    actors = [passer(181, 2, 9.0), passer(182, 12, 10.2, False), passer(183, 21, 8.5), passer(184, 28, 9.8, False), car_by(185, 9), car_by(186, 26)]
    return Shot("clouds", "kerb-day", 44, "clouds pass before the sun, shadows fade and come back, exposure follows: nothing to report", actors, [], condition="clouds", seed=181,
                key=share, fill=sky, gain=lambda t: float(np.clip(lag(t), .9, 1.5)))


def tree_sways():
    wind = lambda t: .02 + .10 * min(1.0, t / 6)
    actors = [passer(191, 6, 9.0), passer(192, 20, 10.2, False), car_by(193, 12), car_by(194, 29)]
    return Shot("tree-sways", "kerb-day", 40, "gusts move the trees and their shadows on the pavement; the camera's post trembles: nothing to report", actors, [], condition="wind", seed=191,
                wind_m=wind, jitter_px=.25)


def camera_covered():
    cover = lambda t: float(np.clip((t - 14) / 1.2, 0, 1) - np.clip((t - 32) / 1.0, 0, 1))
    actors = [passer(201, 2, 9.0), passer(202, 9, 10.2, False), passer(203, 35, 8.8), car_by(204, 5), car_by(205, 36)]
    return Shot("camera-covered", "kerb-day", 42, "from 14 s to 33 s a cloth hangs over the lens: the camera is blind, nothing else", actors, [], seed=201, cover=cover,
                blind=[Blind("covered", 15.0, 32.8)])


def camera_frozen():
    actors = [passer(211, 0, 9.0), passer(212, 6, 10.2, False), passer(213, 10, 8.6), car_by(214, 3), car_by(215, 12)]
    return Shot("camera-frozen", "kerb-day", 36, "from 14 s on the camera sends the same picture, counter and all (two people in it)", actors, [], seed=211, frozen_from_s=14.0, blind=[Blind("frozen", 14.0)])


def camera_moved():
    actors = [passer(221, 2, 9.0), passer(222, 10, 10.2, False), passer(223, 20, 8.6), passer(224, 28, 10.0, False), car_by(225, 6), car_by(226, 26)]
    return Shot("camera-moved", "kerb-day", 40, "at 15 s the camera is knocked aside and stays so: moved, nothing else", actors, [], seed=221,
                view=lambda t: "kerb-day" if t < 15.2 else "kerb-day-moved", blind=[Blind("moved", 15.2)])


def rain():
    actors = [passer(231, 3, 9.0), passer(232, 13, 10.2, False), passer(233, 22, 8.6), passer(234, 30, 10.0, False), car_by(235, 8, lights=True), car_by(236, 20, lights=True), car_by(237, 31, lights=True)]
    force = lambda t: float(np.interp(t, [0, 5, 14, 30, 42], [0, .35, 1, .8, .5]))
    return Shot("rain", "kerb-day", 42, "rain sets in under a dull sky, people and cars pass: nothing to report", actors, [], condition="rain", seed=231, rain=force,
                key=lambda t: .06, fill=lambda t: 1.15 - .2 * force(t), gain=1.35, kbit_s=330)


def lights_switch():
    """The street lamp goes out at 12 s, and on again (with a flicker) at 26 s."""
    def lamp(t):
        if 12 <= t < 26:
            return .02
        if 26 <= t < 27.2:
            return .75 if int(t * 10) % 3 else .08
        return 1.0
    auto = lambda t: float(1 + .35 * np.clip((t - 13) / 4, 0, 1) - .35 * np.clip((t - 28) / 3, 0, 1))
    actors = [passer(241, 2, 8.2), passer(242, 14, 7.6, False), passer(243, 29, 8.6), car_by(244, 7, 3.4, lights=True), car_by(245, 19, 3.3, lights=True), car_by(246, 33, 3.4, lights=True)]
    return Shot("lights-switch", "gate-night", 42, "night: the street lamp goes out and on again, cars pass with headlights: nothing to report", actors, [], condition="lights", seed=241,
                key=lamp, gain=auto, hour="2026-11-21T21:30:00+08:00")


def night_bag():
    w, mesh, down_s = walker_with_bag(person(251, sex="male", shirt=(.03, .03, .035), jacket=True, skirt=False), 3.0, (9.6, 8.0), (1.3, 8.3), (10, 7.4), seed=12, name="bag", col=(.30, .30, .29))
    actors = [w, passer(252, 24, 7.3), passer(253, 32, 9.2, False), car_by(254, 9, 3.4, lights=True), car_by(255, 28, 3.4, lights=True)]
    return Shot("night-bag", "gate-night", 46, "night: someone sets a light-coloured bag down by the closed market and goes back", actors,
                [Event("waste.exposed", down_s, mesh, act="in_progress")], condition="night", seed=251, hour="2026-11-21T22:10:00+08:00")


def along(seed, start_s, x, towards=True, speed=None):
    """Someone who walks along the pavement of the lane scene, towards the camera or away."""
    speed = speed or float(np.random.default_rng(seed).uniform(1.15, 1.45))
    a, b = ((x, 27), (x, 1.5)) if towards else ((x, 1.5), (x, 27))
    return Walker(person(seed), Z, start_s, a, [("walk", b, speed)], phase=seed * .37)


def lane_car(seed, start_s, x=-4.6, away=True, speed=9.0):
    rng = np.random.default_rng(seed)
    paint = [(.55, .55, .55), (.03, .03, .035), (.32, .03, .03), (.05, .09, .22), (.62, .62, .6)][rng.integers(5)]
    kind = ("sedan", "hatch", "van")[rng.integers(3)]
    ys = (-6, 62) if away else (62, -6)
    return Along(lambda turn: things.car(paint, kind, turn), x, [(start_s, ys[0]), (start_s + 68 / speed, ys[1])], facing=1 if away else -1)


def lane_bag():
    w, mesh, down_s = walker_with_bag(person(301, sex="female", shirt=(.55, .55, .52), trousers=(.03, .04, .08), skirt=False), 1.0, (2.2, 24), (1.7, 11.2), (.2, 1.5), seed=15, name="bag",
                                     col=(.03, .10, .22))
    actors = [w, along(302, 6, -.6), along(303, 22, 2.2, False), along(304, 27, .4), along(305, 36, 1.0, False), lane_car(306, 3), lane_car(307, 15, -9.8, False), lane_car(308, 30), lane_car(309, 38, -9.8, False)]
    return Shot("lane-bag", "lane-day", 46, "seen along the pavement: a woman sets a blue bag down by the wall and walks on", actors,
                [Event("waste.exposed", down_s, mesh, act="in_progress")], seed=301, hour="2026-11-21T15:20:00+08:00")


def lane_stall():
    mat = things.mat_goods(4)
    x, y, set_s, pack_s = 1.9, 9.6, 9.0, 62.0
    seller = person(311, sex="female", shirt=(.38, .04, .05), trousers=(.02, .02, .025), skirt=False)
    rack = things.rack(5).moved((2.45, 11.3, Z))
    spread = mat.moved((x, y, Z), np.pi / 2)
    stool = things.stool().moved((2.75, y + .2, Z))
    load = things.bag(40, (.8, .6, .6), (.2, .12, .05))
    walk_s = (26 - y - 1.0) / 1.4
    w = Walker(seller, Z, set_s - 2.0 - walk_s, (1.6, 26), [("walk", (2.0, y + 1.0), 1.4), ("act", 2.6, human.STOOP), ("act", 2.4, human.STOOP), ("walk", (2.75, y + .55), 1.0), ("face", 180),
               ("stand", pack_s - set_s - 6, human.STAND), ("act", 2.4, human.STOOP), ("walk", (2.0, y + 1.2), 1.0), ("act", 2.4, human.STOOP), ("walk", (1.6, 26), 1.4)],
               carry=carrying(load, .5, -1e3, set_s - .8, "load"), idle_seed=3)
    def visitor(seed, start, stay, towards=True):
        a, b = ((.2, 27), (.2, 1.5)) if towards else ((.2, 1.5), (.2, 27))
        return Walker(person(seed), Z, start, a, [("walk", (.75, y + (.4 if towards else -.4)), 1.3), ("face", 0), ("stand", stay * .5, human.TALK), ("act", 2.6, human.STOOP), ("stand", stay * .4, human.TALK), ("walk", b, 1.3)],
                      idle_seed=seed)
    parts = [Thing("mat", spread, (0, 0, 0), since=set_s, until=pack_s), Thing("rack", rack, (0, 0, 0), since=set_s + 3.5, until=pack_s - 3), Thing("stool", stool, (0, 0, 0), since=set_s + 3, until=pack_s)]
    for p, c in zip(parts, ((x, y), (2.45, 11.3), (2.75, y + .2))):
        p.at = c
    actors = parts + [w, visitor(312, 8, 8), visitor(313, 24, 6, False), visitor(314, 33, 9), along(315, 3, -.8), along(316, 18, -.5, False), along(317, 46, -.7), along(318, 55, -.4, False), lane_car(319, 5), lane_car(320, 28), lane_car(321, 50, -9.8, False)]
    return Shot("lane-stall", "lane-day", 72, "seen along the pavement: a seller spreads goods on a mat, hangs clothes on a rack, is visited, packs up", actors,
                [Event("stall.occupying", set_s, Mesh.join([spread, rack]), end_s=pack_s, tolerance_s=8, tolerance_norm=.12)], seed=311, hour="2026-11-21T15:40:00+08:00", kbit_s=200)


def lane_quiet():
    rng = np.random.default_rng(331)
    actors = [along(331 + k, t, rng.uniform(-.8, 2.4), k % 2 == 0) for k, t in enumerate(np.cumsum(rng.uniform(3, 6.5, 8)) - 12)]
    actors += [lane_car(341 + k, t, -4.6 if k % 2 else -9.8, bool(k % 2)) for k, t in enumerate((1, 8, 14, 22, 29))]
    return Shot("lane-quiet", "lane-day", 36, "seen along the pavement: people and cars pass; nothing happens", actors, [], seed=331, hour="2026-11-21T15:00:00+08:00")


def orange(seed):
    """Somebody in a street cleaner's clothes."""
    return person(seed, sex="male", shirt=(.55, .18, .02), vest=(.75, .26, .02), trousers=(.55, .18, .02), skirt=False, hat=(.6, .2, .02))


def cleaners_sweep():
    def sweep(seed, start, y, xs, home):
        script = []
        for x in xs:
            script += [("walk", (x, y), .8), ("act", 2.4, human.STOOP), ("act", 2.4, human.STOOP), ("act", 2.4, human.STOOP)]
        return Walker(orange(seed), Z, start, (home, y), script + [("walk", (-home, y), 1.1)], idle_seed=seed)
    a = sweep(401, -3.0, 9.0, (-4.5, -2.2, 0.4, 2.6, 4.8), -9.5)
    b = sweep(402, 2.0, 10.3, (5.2, 3.0, 0.8, -1.6), 10.2)
    actors = [a, b, passer(403, 9, 8.4), passer(404, 21, 8.6, False), passer(405, 33, 9.7), car_by(406, 12), car_by(407, 30)]
    return Shot("cleaners-sweep", "kerb-day", 50, "two cleaners work along the pavement, stopping and stooping: nothing to report", actors, [], seed=401)


def unloading():
    """The dwell of the rule is the grace: nothing stands alone for as long."""
    x, door = 1.6, (7.1, 11.2)
    van = Vehicle(lambda turn: things.car((.62, .62, .6), "van", turn), 6.05, [(1.0, -14), (5.0, -1.5), (7.0, x), (44.0, x), (46.5, 5), (49.5, 16)], name="van")
    man, mate = person(411, sex="male", shirt=(.08, .10, .30), trousers=(.03, .03, .04), skirt=False), person(412, sex="male", shirt=(.30, .30, .28), trousers=(.06, .06, .08), skirt=False)
    stack, side = (3.4, 8.8), (x + .6, 7.6)
    cartons = [things.carton((.5, .4, .34), k).moved((0, 0, .34 * k)) for k in range(3)]
    put, fetched = (12.0, 18.4, 24.8), (41.5, 36.0, 30.5)
    actors = [van]
    for k, mesh in enumerate(cartons):
        actors.append(Thing(f"carton{k}", mesh, (*stack, Z), since=put[k], until=fetched[k]))
        actors[-1].at = stack
    for k, t in enumerate(put):
        way = float(np.hypot(stack[0] - .6 - side[0], stack[1] - side[1])) / 1.3
        actors.append(Walker(man, Z, t - .95 - way, side, [("walk", (stack[0] - .6, stack[1]), 1.3), ("act", 1.9, human.STOOP), ("walk", side, 1.3), ("stand", .4, human.STAND)],
                             carry=carrying(cartons[k].moved((0, 0, -.34 * k)), .3, -1e3, t, f"load{k}")))
    for t, k in zip(sorted(fetched), (2, 1, 0)):
        way = float(np.hypot(door[0] - stack[0] - .6, door[1] - stack[1])) / 1.4
        actors.append(Walker(mate, Z, t - .95 - way, door, [("walk", (stack[0] + .6, stack[1]), 1.4), ("act", 1.9, human.STOOP), ("walk", door, 1.4)],
                             carry=dict(mesh=cartons[k].moved((0, 0, -.34 * k)), height=.3, hand="both", from_s=t, until_s=1e6, name=f"taken{k}", stays=False)))
    actors += [passer(413, 3, 10.4), passer(414, 27, 10.5, False), car_by(415, 20, 3.4), car_by(416, 36, 3.4)]
    return Shot("unloading", "kerb-day", 52, "a van stops, three cartons are set down and carried into the shop, it leaves: nothing to report", actors, [], seed=411)


def bin_out():
    keeper = person(421, sex="female", shirt=(.30, .10, .12), trousers=(.05, .05, .07), skirt=False)
    mesh, spot = things.bin_(), (0.2, 8.6)
    walk_s = float(np.hypot(7.1 - spot[0] - .7, 11.2 - spot[1] - .3)) / 1.1
    down_s = 6.0 + walk_s + .6
    w = Walker(keeper, Z, 6.0, (7.1, 11.2), [("walk", (spot[0] + .7, spot[1] + .3), 1.1), ("act", 1.2, human.REACH), ("walk", (7.1, 11.2), 1.3)],
               carry=carrying(mesh, .95, -1e3, down_s, "wheeled"))
    bin_ = Thing("bin", mesh, (*spot, Z), since=down_s)
    actors = [w, bin_, passer(422, 14, 10.0), passer(423, 24, 9.6, False), passer(424, 33, 10.3), car_by(425, 10), car_by(426, 31)]
    return Shot("bin-out", "kerb-day", 46, "a shopkeeper wheels a shut bin to the kerb and goes in: a bin in order is nothing to report", actors, [], seed=421)


class Stain:
    """Ground that is darker for a while, texture and all: water that dries, the shade of something out of sight."""

    def __init__(self, spots, strength):
        self.spots, self.strength = spots, strength

    def at_time(self, t):
        share = self.strength(t)
        return [], [(*spot, share) for spot in self.spots if share > 0.01]


def wet_patch():
    dry = lambda t: float(np.interp(t, [10, 12.5, 34, 46], [0, .95, .8, .4]))
    spots = 4 * [(-.4, 9.2, .75), (.5, 9.0, .6), (.1, 8.6, .5)]
    keeper = Walker(person(431), Z, 4.0, (7.1, 11.2), [("walk", (.9, 9.9), 1.25), ("face", -110), ("act", 2.6, human.THROW), ("walk", (7.1, 11.2), 1.25)])
    actors = [Stain(spots, dry), keeper, passer(432, 18, 10.2), passer(433, 30, 8.5, False), car_by(434, 8), car_by(435, 27)]
    return Shot("wet-patch", "kerb-day", 48, "somebody pours water on the pavement, it dries slowly: nothing to report", actors, [], seed=431)


def shade_falls():
    come = lambda t: float(np.interp(t, [9, 11, 30, 31.5], [0, .5, .5, 0]))
    spots = [(-2.6 + .8 * k, 9.3, 1.1) for k in range(5)] * 2
    actors = [Stain(spots, come), passer(441, 4, 9.0), passer(442, 15, 10.2, False), passer(443, 24, 8.6), passer(444, 35, 10.0, False), car_by(445, 12), car_by(446, 29)]
    return Shot("shade-falls", "kerb-day", 44, "the shade of something tall falls across the pavement for 20 s: nothing to report", actors, [], seed=441)


def poster_up():
    x, wall_y = -2.0, 11.34
    sheet = Mesh.join([box((x, wall_y, 1.75), (.9, .02, 1.2), (.75, .68, .12), noise=.1), box((x, wall_y - .012, 1.95), (.7, .01, .35), (.6, .03, .03))])
    paster = Walker(person(451, sex="male", skirt=False), Z, 1.0, (-9.5, 10.6), [("walk", (x - .1, 10.75), 1.3), ("face", 90), ("act", 3.0, human.REACH), ("act", 3.0, human.REACH), ("walk", (10.2, 10.2), 1.3)])
    up_s = 1.0 + 7.4 / 1.3 + .6 + 1.5
    poster = Thing("poster", sheet, (0, 0, 0), since=up_s)
    poster.at = (x, wall_y + 5)
    actors = [poster, paster, passer(452, 12, 8.8), passer(453, 22, 9.6, False), passer(454, 31, 8.5), car_by(455, 9), car_by(456, 28)]
    return Shot("poster-up", "kerb-day", 44, "somebody pastes a poster to the wall: not on the ground, nothing to report", actors, [], seed=451)


ALL = {s.__name__.replace("_", "-"): s for s in (
    bag_left, quiet_day, bag_removed, stall_setup, car_parks, people_wait, goods_out, car_dumping, clouds, tree_sways, camera_covered, camera_frozen,
    camera_moved, rain, lights_switch, night_bag, lane_bag, lane_stall, lane_quiet, cleaners_sweep, unloading, bin_out, wet_patch, shade_falls, poster_up)}
