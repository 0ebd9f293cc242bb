"""Trains the waste detector: `python train.py --data garbage3 --start ../street.onnx --run out --epochs 30`.

Owns: the optimiser, the course of the learning rate, averaged weights, checkpoints, the log. Goes on by itself from
RUN/last.pt. With --minutes the course follows the clock when that is faster: a slow machine gets a whole, shorter course.
"""

import argparse
import copy
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch

import compose
import data
import evaluate
import model
from loss import loss

AVERAGE = 0.996      # of the weights that are evaluated and shipped
CLIP = 10.0          # norm of the gradient
WARM = 100           # steps in which the learning rate rises
DECAY = 0.02         # of kernels
MOSAIC = 0.9         # share of the course with mosaics; the rest shows single pictures
FLAT = 0.3           # share of the course before the learning rate falls
FRAMES = 40          # of each video of --footage
LAST = 0.02          # of the learning rate that is left at the end


@dataclass
class Clock:
    """How far the course is: by steps, or by minutes where those are given and pass faster."""
    steps: int
    seconds: float
    step: int = 0
    spent: float = 0.0   # s, in earlier calls

    def __post_init__(self):
        self.began = time.monotonic()

    def elapsed(self):
        return self.spent + time.monotonic() - self.began

    def share(self):
        by_time = self.elapsed() / self.seconds if self.seconds else 0.0
        return min(1.0, max(self.step / self.steps, by_time))


def rate(share, step, first):
    """Warm-up, flat, then half a cosine down."""
    part = max(0.0, (share - FLAT) / (1 - FLAT))
    return first * min(1.0, (step + 1) / WARM) * (LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * part)))


def groups(net):
    """Weight decay is for kernels, not for biases."""
    kernels = [p for n, p in net.named_parameters() if n.endswith("weight")]
    biases = [p for n, p in net.named_parameters() if n.endswith("bias")]
    return [{"params": kernels, "weight_decay": DECAY}, {"params": biases, "weight_decay": 0.0}]


def freeze(net):
    """Stem and first stage keep their weights: such features are general, and it spares a sixth of the time."""
    for part in (net.stem, net.stages[0]):
        part.requires_grad_(False)


def follow(average, net, steps):
    """Moves the averaged weights a little towards the newest."""
    keep = AVERAGE * (1 - math.exp(-steps / 200))
    with torch.no_grad():
        for a, p in zip(average.parameters(), net.parameters()):
            a.lerp_(p, 1 - keep)


class Training:
    def __init__(self, a):
        self.a, self.run = a, a.run
        self.pictures = data.prepared(a.data / "train", a.run / "pictures")
        for path in a.footage:
            self.pictures += data.footage(path, FRAMES)
        self.cutouts, self.counted = [], -1
        self.net = model.read(a.start)
        self.average = copy.deepcopy(self.net)
        freeze(self.net)
        self.net = self.net.to(memory_format=torch.channels_last).train()
        self.optimiser = torch.optim.AdamW(groups(self.net), lr=a.rate, betas=(0.9, 0.99))
        self.epoch = 0
        self.clock = Clock(a.epochs * (len(self.pictures) // a.batch), 60 * a.minutes)
        if (self.run / "last.pt").exists():
            self.take_up(torch.load(self.run / "last.pt", weights_only=True))

    def take_up(self, old):
        self.net.load_state_dict(old["net"])
        self.average.load_state_dict(old["average"])
        self.optimiser.load_state_dict(old["optimiser"])
        self.epoch, self.clock.step, self.clock.spent = old["epoch"], old["step"], old["spent"]
        print(f"resumed at epoch {self.epoch}, step {self.clock.step}", flush=True)

    def keep(self):
        """Written beside and renamed: a run that dies leaves the last whole checkpoint."""
        part = self.run / "last.part"
        torch.save({"net": self.net.state_dict(), "average": self.average.state_dict(), "epoch": self.epoch,
                    "optimiser": self.optimiser.state_dict(), "step": self.clock.step, "spent": self.clock.elapsed()}, part)
        part.replace(self.run / "last.pt")

    def snapshot(self, name):
        """The averaged weights as fp16: what export.py reads."""
        torch.save({"average": {k: v.half() for k, v in self.average.state_dict().items()}}, self.run / name)

    def one(self, images, truth, grid):
        """One step; the three parts of its loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.clock.share(), self.clock.step, self.a.rate)
        pixels = images.float().contiguous(memory_format=torch.channels_last)
        value, parts = loss(*self.net(pixels), truth, *grid)
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self.optimiser.step()
        self.clock.step += 1
        follow(self.average, self.net, self.clock.step)
        return torch.tensor(parts)

    def fetch(self):
        """The cut-outs that there are by now: the first epochs need not wait for the last of them."""
        count = len(list(self.a.cutouts.glob("*.npz"))) if self.a.cutouts else 0
        if count != self.counted:
            self.cutouts = compose.read(self.a.cutouts, self.a.stalls.split(",")) if count else []
            self.counted = count
            print(f"{len(self.cutouts)} cut-outs, {sum(c.stall for c in self.cutouts)} of stalls", flush=True)

    def round(self):
        """One epoch, or what of it is left of the mosaics or of the course."""
        self.epoch += 1
        self.fetch()
        mosaic = self.clock.share() < MOSAIC
        size = tuple(int(n) for n in self.a.size.split("x"))
        samples = data.Samples(self.pictures, size, self.a.batch, self.a.seed, self.epoch, mosaic, self.cutouts,
                               self.a.composed if self.cutouts else 0.0)
        grid, parts, count = model.grid(*size), torch.zeros(3), 0
        began = time.monotonic()
        for images, truth in torch.utils.data.DataLoader(samples, batch_size=None, num_workers=1, prefetch_factor=4):
            parts += self.one(images, truth, grid)
            count += 1
            if count % 20 == 0:
                shown = " ".join(f"{v:.3f}" for v in parts / count)
                print(f"epoch {self.epoch} {count}/{len(samples)} course {self.clock.share():.3f} loss {shown} "
                      f"{time.monotonic() - began:.0f} s", flush=True)
            if count % 60 == 0:
                self.keep()
            if mosaic != (self.clock.share() < MOSAIC) or self.clock.share() >= 1:
                break
        self.keep()
        self.snapshot(f"average-{self.epoch:03d}.pt")
        return {"epoch": self.epoch, "step": self.clock.step, "size": self.a.size, "mosaic": mosaic,
                "rate": round(self.optimiser.param_groups[0]["lr"], 7), "steps": count,
                "loss": [round(float(v), 4) for v in parts / max(1, count)], "wall_s": round(time.monotonic() - began)}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", type=Path, required=True, help="folder with train/ and valid/, YOLO format")
    p.add_argument("--start", type=Path, required=True, help="street.onnx, or an exported waste.onnx")
    p.add_argument("--run", type=Path, required=True, help="folder for checkpoints and log")
    p.add_argument("--cutouts", type=Path, help="folder of sprites.py: a share of the samples has stalls put into it")
    p.add_argument("--stalls", default="parasol,table,mat,pushcart,tricycle,rack,crates,food_cart,awning,tent,truck",
                   help="forms among the cut-outs that are stalls")
    p.add_argument("--composed", type=float, default=0.45, help="that share")
    p.add_argument("--footage", type=Path, nargs="*", default=[], help="videos with nothing to find, for more places")
    p.add_argument("--size", default="320x192", help="input WxH in training, multiples of 32")
    p.add_argument("--epochs", type=int, default=30)
    p.add_argument("--minutes", type=float, default=0, help="0: as long as it takes")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--rate", type=float, default=5e-4)
    p.add_argument("--evaluate-every", type=int, default=3, help="epochs; 0: only at the end")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=20261121)
    p.add_argument("--prepare", action="store_true", help="only decode the pictures")
    a = p.parse_args()
    a.run.mkdir(parents=True, exist_ok=True)
    if a.prepare:
        data.prepared(a.data / "train", a.run / "pictures")
        return
    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)
    t = Training(a)
    valid = data.read(a.data / "valid", half=False) if a.evaluate_every else []
    while t.clock.share() < 1:
        line = t.round()
        if a.evaluate_every and t.epoch % a.evaluate_every == 0:
            line["map50"] = evaluate.quick(t.average, valid, *map(int, a.size.split("x")))
        print(json.dumps(line), flush=True)
        with open(a.run / "log.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")
    t.snapshot("final.pt")


if __name__ == "__main__":
    main()
