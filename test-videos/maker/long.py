"""Hours of ordinary street life in all weathers, with nothing to report: for counting false reports. Not committed.

    python -m maker.long [--seed N] [--minutes M] [CHAPTER ...]     writes long/CHAPTER.mp4 and its empty truth

People pass, stop and talk, wait for minutes, sweep; cars pass, park and leave. Two pictures a second; the same seed gives
the same life.
"""

import argparse
import time

import numpy as np

from . import film, human, things
from .clips import Z, passer
from .people import person
from .play import Vehicle, Walker

FPS = 2.0
CAST = 36   # looks; a person comes by many times
PAINTS = [(.55, .55, .55), (.03, .03, .035), (.32, .03, .03), (.05, .09, .22), (.62, .62, .6), (.18, .19, .2)]


class Life:
    """Draws who comes when. `y`: the pavement's depth, from the kerb to the wall; `lane`: where cars drive."""

    def __init__(self, seed, seconds, y, lane, lights):
        self.rng, self.seconds, self.y, self.lane, self.lights = np.random.default_rng(seed), seconds, y, lane, lights
        self.actors = []

    def times(self, mean_s):
        t = self.rng.exponential(mean_s)
        while t < self.seconds:
            yield float(t)
            t += self.rng.exponential(mean_s)

    def depth(self):
        return float(self.rng.uniform(*self.y))

    def somebody(self):
        return person(700 + int(self.rng.integers(CAST)))

    def passers(self, mean_s):
        for t in self.times(mean_s):
            self.actors.append(passer(700 + int(self.rng.integers(CAST)), t, self.depth(), bool(self.rng.integers(2)), float(self.rng.uniform(.9, 1.6))))

    def waiters(self, mean_s):
        """Alone or by two, from half a minute to three."""
        for t in self.times(mean_s):
            x, y, stay = float(self.rng.uniform(-5, 5)), self.depth(), float(self.rng.uniform(30, 180))
            for k in range(int(self.rng.integers(1, 3))):
                side = -9.5 if k else 10.2
                pose = human.TALK if self.rng.integers(2) else human.STAND
                self.actors.append(Walker(self.somebody(), Z, t, (side, y), [("walk", (x - .5 * k, y + .1 * k), 1.3), ("face", 0 if k else 180), ("stand", stay + 4 * k, pose),
                                                                               ("walk", (-side, y), 1.3)], idle_seed=int(self.rng.integers(99))))

    def sweepers(self, mean_s):
        """Somebody in orange who stops and stoops every few metres."""
        look = person(790, sex="male", shirt=(.55, .18, .02), vest=(.75, .26, .02), trousers=(.55, .18, .02), skirt=False, hat=(.6, .2, .02))
        for t in self.times(mean_s):
            y, script = self.depth(), []
            for x in np.arange(-7, 8, 2.5):
                script += [("walk", (float(x), y), .7), ("act", float(self.rng.uniform(2, 6)), human.STOOP)]
            self.actors.append(Walker(look, Z, t, (-9.5, y), script + [("walk", (10.2, y), 1.0)]))

    def car(self, knots, y, facing, name=None):
        paint, kind = PAINTS[self.rng.integers(len(PAINTS))], ("sedan", "hatch", "van")[self.rng.integers(3)]
        lights = self.lights
        car = Vehicle(lambda turn: things.car(paint, kind, turn, lights), y, knots, facing, name=name)
        car.beams = lights
        self.actors.append(car)

    def cars(self, mean_s):
        for t in self.times(mean_s):
            speed = float(self.rng.uniform(5, 11))
            self.car([(t, -14.0), (t + 28 / speed, 14.0)], self.lane, 1)

    def parkers(self, mean_s, y):
        """One at a time at the kerb, from one minute to six."""
        free_s = 0.0
        for t in self.times(mean_s):
            if t < free_s:
                continue
            x, stay = float(self.rng.uniform(-3, 3)), float(self.rng.uniform(60, 360))
            go = t + 7 + stay
            self.car([(t, -14.0), (t + 4.5, x - 3.4), (t + 7, x), (go, x), (go + 3, x + 4), (go + 6, 16.0)], y, 1, f"parked{t:.0f}")
            driver = self.somebody()
            self.actors.append(Walker(driver, 0.0, t + 11, (x - .1, y - 1.3), [("walk", (x - 3, y - 1.25), 1.2), ("walk", (x - 3.6, 7.4), 1.2), ("walk", (-9.8, self.depth()), 1.3)]))
            free_s = go + 12


def day(seed, seconds):
    life = Life(seed, seconds, (8.3, 10.7), 3.5, False)
    life.passers(9), life.waiters(140), life.sweepers(900), life.cars(11), life.parkers(150, 6.05)
    return life.actors


def night(seed, seconds):
    life = Life(seed, seconds, (7.3, 9.2), 3.4, True)
    life.passers(25), life.waiters(260), life.cars(18)
    return life.actors


def knots(seed, seconds, mean_s, levels):
    """A level that changes at random moments within some seconds, as a function of time."""
    rng, at, value, t = np.random.default_rng(seed), [0.0], [levels[-1]], 0.0
    while t < seconds:
        t += rng.exponential(mean_s) + 5
        level = levels[rng.integers(len(levels))]
        ramp = rng.uniform(2, 6)
        at += [t, t + ramp]
        value += [value[-1], level]
        t += ramp
    return lambda now: float(np.interp(now, at, value))


def exposure(light):
    """Follows the light late, as cameras do."""
    return lambda t: float(np.clip(1 / (.55 + .45 * np.mean([light(max(0, t - d)) for d in (.5, 1.2, 2.0, 3.0)])), .9, 1.5))


def sun(seed, seconds):
    return dict(scene="kerb-day", actors=day(seed, seconds), condition="day")


def clouds(seed, seconds):
    light = knots(seed + 1, seconds, 25, [.12, .3, .6, 1.0])
    return dict(scene="kerb-day", actors=day(seed, seconds), condition="clouds", key=light, fill=lambda t: 1.12 - .12 * light(t), gain=exposure(light))


def rain(seed, seconds):
    force = knots(seed + 1, seconds, 60, [0.0, .35, .7, 1.0])
    return dict(scene="kerb-day", actors=day(seed, seconds), condition="rain", rain=force, key=lambda t: .06, fill=lambda t: 1.15 - .2 * force(t), gain=1.35)


def wind(seed, seconds):
    return dict(scene="kerb-day", actors=day(seed, seconds), condition="wind", wind_m=knots(seed + 1, seconds, 20, [.02, .05, .12]), jitter_px=.25)


def quiet_night(seed, seconds):
    return dict(scene="gate-night", actors=night(seed, seconds), condition="night", hour="2026-11-21T22:00:00+08:00")


def lamps(seed, seconds):
    """The street lamp fails now and then, for half a minute or so, and comes again with a flicker."""
    rng, off, t = np.random.default_rng(seed + 1), [], 0.0
    while t < seconds:
        t += rng.uniform(40, 160)
        off.append((t, t + rng.uniform(10, 50)))
        t = off[-1][1]

    def lamp(now):
        for a, b in off:
            if a <= now < b:
                return .02
            if b <= now < b + 1.5:
                return .75 if int(now * 10) % 3 else .08
        return 1.0
    return dict(scene="gate-night", actors=night(seed, seconds), condition="lights", key=lamp, hour="2026-11-21T23:00:00+08:00")


CHAPTERS = {"sun": sun, "quiet-night": quiet_night, "rain": rain, "clouds": clouds, "lamps": lamps, "wind": wind}


def make(name, seed, minutes):
    seconds = minutes * 60
    shot = film.Shot(name=name, seconds=seconds, note=f"ordinary life, {name}, seed {seed}: nothing to report", fps=FPS, seed=seed, **CHAPTERS[name](seed, seconds))
    folder = film.HOME / "long"
    folder.mkdir(exist_ok=True)
    encoder = film.Encoder(folder / f"{name}.mp4", FPS, 120)
    for picture in film.pictures(shot):
        encoder.write(picture)
    encoder.close()
    text = film.truth_text(shot, "synthetic", film.BUILDERS[shot.scene]()["camera"], "report", f"../{shot.scene}")
    (folder / f"{name}.truth.toml").write_text(text)


def main():
    words = argparse.ArgumentParser(prog="python -m maker.long", description=__doc__.splitlines()[0])
    words.add_argument("--seed", type=int, default=2611)
    words.add_argument("--minutes", type=float, default=20.0, help="of each chapter")
    words.add_argument("chapters", nargs="*", choices=[[], *CHAPTERS], default=[])
    given = words.parse_args()
    for index, name in enumerate(CHAPTERS):
        if not given.chapters or name in given.chapters:
            begin = time.process_time()
            make(name, given.seed + 100 * index, given.minutes)
            print(f"long/{name}: {time.process_time() - begin:.0f} s of CPU", flush=True)


if __name__ == "__main__":
    main()
