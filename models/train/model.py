"""The waste detector's network: NanoDet-g with a head of our classes, its weights read from an ONNX file of ours.

Owns: the modules, their names in the ONNX files, box decoding. Must not know: pictures, losses, training.
Architecture after NanoDet-g (CSP backbone, PAN, generalised-focal-loss head), Apache-2.0,
https://github.com/RangiLyu/nanodet. Normalisation layers are folded into the convolutions since the weights
come so; they are trained as they are.
"""

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

CLASSES = ("garbage", "bin", "overflow", "stall")
STRIDES = (8, 16, 32)
BINS = 11  # distance of a side: expectation over 0..=10, in strides
CHANNELS = 128
SLOPE = 0.1
# Columns of street.onnx that the new classes start from: looking at streets showed wheeled bins called "suitcase".
STREET_COLUMNS = 23
START = {"garbage": (13, 14), "bin": (14,), "overflow": (14,), "stall": (6, 7)}


def conv(cin, cout, kernel=3, stride=1):
    return nn.Conv2d(cin, cout, kernel, stride, kernel // 2)


def act(x):
    return F.leaky_relu(x, SLOPE, inplace=True)


class Stage(nn.Module):
    """One CSP stage: `units` steps of two convolutions over half the channels, joined with the stage's entry."""

    def __init__(self, cin, width, units, stride):
        super().__init__()
        self.entry = conv(cin, width, 3, stride)
        self.narrow = conv(width, width // 2)
        steps = []
        for u in range(units):
            last = u == units - 1
            steps += [conv(width // 2, width // 2), conv(width, width if last else width // 2)]
        self.steps = nn.ModuleList(steps)

    def forward(self, x):
        a = act(self.entry(x))
        y = act(self.narrow(a))
        for one, two in zip(self.steps[::2], self.steps[1::2]):
            z = act(one(y))
            y = act(two(torch.cat([z, y], 1)))
        return torch.cat([y, a], 1)


class Detector(nn.Module):
    """pixels float [B,3,H,W] RGB 0..255 -> logits [B,N,C], sides [B,N,4,BINS]; H and W multiples of 32."""

    def __init__(self, classes=len(CLASSES)):
        super().__init__()
        self.classes = classes
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1))
        self.register_buffer("gain", torch.ones(1, 3, 1, 1))
        self.stem = conv(3, 32, 3, 2)
        self.stages = nn.ModuleList([Stage(32, 32, 1, 1), Stage(64, 64, 2, 2), Stage(128, 128, 2, 2),
                                     Stage(256, 256, 3, 2)])
        self.lateral = nn.ModuleList([conv(c, CHANNELS, 1) for c in (128, 256, 512)])
        self.tower = nn.ModuleList([conv(CHANNELS, CHANNELS) for _ in STRIDES])
        self.out = nn.ModuleList([conv(CHANNELS, classes + 4 * BINS, 1) for _ in STRIDES])

    def convolutions(self):
        """All convolutions in the order of the numbers that the ONNX files give them."""
        found = [self.stem]
        for s in self.stages:
            found += [s.entry, s.narrow, *s.steps]
        found += self.lateral
        for tower, out in zip(self.tower, self.out):
            found += [tower, out]
        return found

    def levels(self, pixels):
        """The three head outputs, [B, C + 4 * BINS, h, w] each."""
        x = (pixels - self.mean) * self.gain
        x = F.max_pool2d(act(self.stem(x)), 3, 2, 1)
        taps = []
        for stage in self.stages:
            x = stage(x)
            taps.append(x)
        l3, l4, l5 = (lat(t) for lat, t in zip(self.lateral, taps[1:]))
        p4 = l4 + double(l5)
        p3 = l3 + double(p4)
        n4 = p4 + F.avg_pool2d(p3, 2)
        n5 = l5 + F.avg_pool2d(n4, 2)
        return [out(act(tower(p))) for tower, out, p in zip(self.tower, self.out, (p3, n4, n5))]

    def forward(self, pixels):
        cells = torch.cat([level.flatten(2) for level in self.levels(pixels)], 2).transpose(1, 2)
        logits, sides = cells.split([self.classes, 4 * BINS], 2)
        return logits, sides.unflatten(2, (4, BINS))


def double(x):
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def grid(width, height, device=None):
    """Cell centres [N,2] and strides [N], px of the model input, in the order of the cells."""
    centres, strides = [], []
    for s in STRIDES:
        ys, xs = torch.meshgrid(torch.arange(height // s), torch.arange(width // s), indexing="ij")
        centres.append((torch.stack([xs.flatten(), ys.flatten()], 1) + 0.5) * s)
        strides.append(torch.full((xs.numel(),), float(s)))
    return torch.cat(centres).to(device), torch.cat(strides).to(device)


def boxes_px(sides, centres, strides):
    """Boxes x0,y0,x1,y1 in px of the model input from side distributions [...,N,4,BINS]."""
    bins = torch.arange(BINS, dtype=sides.dtype, device=sides.device)
    reach = sides.softmax(-1) @ bins * strides[:, None]
    return torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], -1)


def read(path):
    """A Detector with the weights of street.onnx (new class columns), of an exported waste.onnx or of a checkpoint (more columns
    where they have fewer classes than we)."""
    if str(path).endswith(".pt"):
        net = checkpoint(path)
        return net if net.classes == len(CLASSES) else wider(net)
    graph = onnx.load(path).graph
    arrays = {i.name: numpy_helper.to_array(i).astype(np.float32) for i in graph.initializer}
    net = Detector()
    for n, module in enumerate(net.convolutions()):
        name = "convolution" + (f"_{n}" if n else "")
        weight, bias = (torch.from_numpy(arrays[f"{name}.{kind}.h"].copy()) for kind in "wb")
        if module in net.out and weight.shape[0] == STREET_COLUMNS + 4 * BINS:
            weight, bias = new_columns(weight, bias)
        elif module in net.out:
            weight, bias = more_columns(weight, bias)
        module.weight.data.copy_(weight)
        module.bias.data.copy_(bias)
    net.mean.copy_(torch.from_numpy(arrays["mean"].copy()))
    net.gain.copy_(torch.from_numpy(arrays["gain"].copy()))
    return net


def new_columns(weight, bias):
    """Replaces the street classes of one output convolution by ours; a rare thing at first, so a low bias."""
    rows = [weight[list(START[c])].mean(0) for c in CLASSES]
    return torch.cat([torch.stack(rows), weight[STREET_COLUMNS:]]), torch.cat([torch.full((len(rows),), -4.0), bias[STREET_COLUMNS:]])


def more_columns(weight, bias):
    """Room for the classes that are not there yet, behind those that are: no weights, a low bias."""
    have = weight.shape[0] - 4 * BINS
    missing = len(CLASSES) - have
    none = torch.zeros(missing, *weight.shape[1:])
    return torch.cat([weight[:have], none, weight[have:]]), torch.cat([bias[:have], torch.full((missing,), -4.0), bias[have:]])


def checkpoint(path):
    """The averaged weights of a run, with as many classes as they have."""
    state = {k: v.float() for k, v in torch.load(path, weights_only=True)["average"].items()}
    net = Detector(state["out.0.weight"].shape[0] - 4 * BINS)
    net.load_state_dict(state)
    return net


def wider(net):
    """The same network with room for all our classes."""
    state = net.state_dict()
    for k in range(len(STRIDES)):
        state[f"out.{k}.weight"], state[f"out.{k}.bias"] = more_columns(state[f"out.{k}.weight"], state[f"out.{k}.bias"])
    out = Detector()
    out.load_state_dict(state)
    return out
