"""The cast: looks drawn from a small wardrobe. The same seed is the same person."""

import numpy as np

from .human import Person

SHIRTS = [(0.55, .55, .52), (0.05, .09, .25), (0.38, .04, .05), (0.03, .03, .035), (0.10, .22, .12), (0.50, .38, .12), (0.16, .17, .19), (0.45, .22, .25)]
TROUSERS = [(0.03, .04, .08), (0.02, .02, .025), (0.10, .09, .07), (0.06, .07, .09), (0.22, .19, .14), (0.05, .08, .16)]
SHOES = [(0.02, .02, .02), (0.5, .5, .48), (0.09, .05, .03)]
SKINS = [(0.50, .30, .20), (0.56, .36, .26), (0.42, .25, .17)]
_cast = {}


def person(seed, **fixed):
    """A passer-by; keywords fix parts of the look (see human.Person)."""
    key = (seed, tuple(sorted(fixed.items())))
    if key not in _cast:
        rng = np.random.default_rng(seed)
        pick = lambda options: options[rng.integers(len(options))]
        look = dict(sex="male" if rng.random() < 0.55 else "female", shirt=pick(SHIRTS), trousers=pick(TROUSERS), shoes=pick(SHOES), skin=pick(SKINS),
                    sleeves="short" if rng.random() < 0.3 else "long", jacket=bool(rng.random() < 0.35), weight=float(rng.uniform(0, 0.5)))
        look["skirt"] = look["sex"] == "female" and rng.random() < 0.3
        look["height_m"] = float(rng.normal(1.73 if look["sex"] == "male" else 1.62, 0.05))
        look["age"] = "old" if rng.random() < 0.2 else "young"
        if look["age"] == "old":
            look["hair"] = (0.25, .25, .25)
        look.update(fixed)
        _cast[key] = Person(**look)
    return _cast[key]
