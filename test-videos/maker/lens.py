"""What a street camera makes of the light that falls in: exposure, optics, weather before the
lens, sensor noise, tone curve, sharpening. Linear radiance in, 8-bit BGR out.

Every effect takes its randomness from the generator it is given.
"""

import cv2
import numpy as np

from .stage import HEIGHT, WIDTH

_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
VIGNETTE = (1 - 0.22 * (((_X - WIDTH / 2) / WIDTH) ** 2 + ((_Y - HEIGHT / 2) / WIDTH) ** 2) * 4)[..., None].astype(np.float32)


class Lens:
    def __init__(self, rng, exposure=1.0, noise=1.0, blur_px=0.5, bloom=0.03, jitter_px=0.0):
        self.rng, self.exposure = rng, exposure
        self.blur_px, self.bloom, self.jitter_px = blur_px, bloom, jitter_px
        # After the curve, shot noise is about as strong in the dark as in the light, so one sheet does.
        grain = rng.standard_normal((2 * HEIGHT, 2 * WIDTH, 3), dtype=np.float32)
        grain = cv2.GaussianBlur(grain, (0, 0), 0.6) * (4.6 * noise)  # demosaicing smears it
        self.sheet = np.round(grain).astype(np.int16)
        # Pixels differ a little from each other for good: the part of noise that does not average out.
        self.pattern = np.round(rng.normal(0, 0.8, (HEIGHT, WIDTH, 1))).astype(np.int16)

    def shoot(self, light, gain=1.0):
        """One picture of `light` (linear); `gain` is the exposure drift of this moment."""
        picture = light * (VIGNETTE * (self.exposure * gain))
        if self.jitter_px:
            dx, dy = self.rng.normal(0, self.jitter_px, 2)
            shift = np.float32([[1, 0, dx], [0, 1, dy]])
            picture = cv2.warpAffine(picture, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        if self.bloom and picture.max() > 1.5:
            small = np.clip(cv2.resize(picture, (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA) - 0.8, 0, 8)
            picture += cv2.resize(cv2.GaussianBlur(small, (0, 0), 2), (WIDTH, HEIGHT)) * (self.bloom * 6)
        picture = cv2.GaussianBlur(picture, (5, 5), self.blur_px)
        toned = tone(picture)
        sharp = cv2.addWeighted(toned, 1.45, cv2.GaussianBlur(toned, (5, 5), 1.1), -0.45, 0)
        noisy = sharp.astype(np.int16) + self.some_grain() + self.pattern
        return np.clip(noisy, 0, 255).astype(np.uint8)[..., ::-1]

    def some_grain(self):
        """Noise of one frame: a piece of the sheet, anywhere, any way round."""
        y, x = self.rng.integers(0, HEIGHT), self.rng.integers(0, WIDTH)
        piece = self.sheet[y:y + HEIGHT, x:x + WIDTH]
        flips = self.rng.integers(0, 4)
        piece = piece[::-1] if flips & 1 else piece
        return piece[:, ::-1] if flips & 2 else piece


def curve(linear):
    """A camera's curve: sRGB-like, with a knee that keeps highlights."""
    x = np.where(linear > 0.7, 0.7 + 0.55 * (1 - np.exp(-(linear - 0.7) / 0.55)), linear) / 1.12
    return np.clip(x, 0, 1) ** (1 / 2.15)


STEPS = 4096  # of the table over 0..4, finest in the dark: it is read at the square root
TABLE = np.round(curve((np.arange(STEPS) / (STEPS - 1)) ** 2 * 4) * 255).astype(np.uint8)


def tone(linear):
    root = cv2.sqrt(np.clip(linear, 0, 4))
    return TABLE[(root * ((STEPS - 1) / 2)).astype(np.uint16)]


class Rain:
    """Falling streaks before the scene, on a picture in linear light."""

    def __init__(self, rng, drops=420, slant=0.16):
        self.rng, self.drops, self.slant = rng, drops, slant

    def fall(self, light, strength):
        layer = np.zeros((HEIGHT, WIDTH), np.float32)
        for _ in range(int(self.drops * strength)):
            depth = self.rng.uniform(0.25, 1.0)
            x, y = self.rng.uniform(-20, WIDTH + 20), self.rng.uniform(-30, HEIGHT)
            length = 26 * depth * self.rng.uniform(0.6, 1.3)
            a = (int(x), int(y))
            b = (int(x + length * self.slant), int(y + length))
            cv2.line(layer, a, b, float(0.35 * depth), 1 if depth < 0.8 else 2, cv2.LINE_AA)
        layer = cv2.GaussianBlur(layer, (0, 0), 0.7)[..., None]
        haze = 0.09 * strength
        veil = light.mean() * 1.6
        return light * (1 - haze) + veil * (haze + layer * 0.5 * strength)


def covered(light, share, rng_seed=3):
    """A cloth pulled over the lens from above, `share` 0..1 of the way: close, dark, out of focus."""
    if share <= 0:
        return light
    rng = np.random.default_rng(rng_seed)
    cloth = cv2.GaussianBlur(rng.random((HEIGHT, WIDTH)).astype(np.float32), (0, 0), 28)
    cloth = 0.012 + 0.03 * (cloth - cloth.min()) / np.ptp(cloth)
    edge = share * (HEIGHT + 120) - 60
    mask = np.clip((edge - _Y + 18 * np.sin(_X / 90)) / 60 + 0.5, 0, 1)[..., None]
    tint = np.array([1.0, 0.8, 0.62], np.float32)
    return light * (1 - mask) + cloth[..., None] * tint * mask


BITS, CELL = 16, 8


def burn_counter(picture, number, start=(8, 8)):
    """The frame counter, as number and as a bit row: white, black, then 16 bits, most significant
    first, each a cell of 8x8 px (white = 1), on a black band 2 px wider. Sample cell centres."""
    x, y = start
    cells = [1, 0] + [(number >> (BITS - 1 - k)) & 1 for k in range(BITS)]
    cv2.rectangle(picture, (x - 2, y - 2), (x + CELL * len(cells) + 1, y + CELL + 1), (0, 0, 0), -1)
    for k, bit in enumerate(cells):
        level = 255 if bit else 0
        cv2.rectangle(picture, (x + k * CELL, y), (x + (k + 1) * CELL - 1, y + CELL - 1), (level,) * 3, -1)
    place = (x + CELL * len(cells) + 8, y + CELL + 1)
    for ink, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, f"{number:05d}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, ink, thick, cv2.LINE_AA)
    return picture


def read_counter(picture, start=(8, 8)):
    """The number burnt into a decoded picture (any channel order), or None."""
    x, y = start
    grey = picture.mean(axis=2) if picture.ndim == 3 else picture
    bits = [grey[y + 2:y + CELL - 2, x + k * CELL + 2:x + (k + 1) * CELL - 2].mean() > 128 for k in range(BITS + 2)]
    if not bits[0] or bits[1]:
        return None
    return int("".join("1" if b else "0" for b in bits[2:]), 2)
