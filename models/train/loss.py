"""Which cell answers for which box, and what being wrong costs.

Owns: task-aligned assignment (Feng et al., TOOD, 2021), soft-label cross entropy, complete IoU, distribution focal
loss (Li et al., Generalized Focal Loss, 2020). Must not know: pictures, the network's inside.
"""

import torch
import torch.nn.functional as F

from model import BINS, boxes_px

TOP = 10                 # cells a box
ALPHA, BETA = 0.5, 6.0   # how score and overlap weigh in the alignment
BOX_GAIN, CLASS_GAIN, SIDES_GAIN = 7.5, 0.75, 1.5


def iou(a, b, complete=False):
    """IoU of boxes x0,y0,x1,y1, broadcast; `complete` subtracts centre distance and aspect (Zheng et al., 2020)."""
    lo, hi = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    both = (hi - lo).clamp(min=0).prod(-1)
    wa, ha = (a[..., 2:] - a[..., :2]).clamp(min=1e-3).unbind(-1)
    wb, hb = (b[..., 2:] - b[..., :2]).clamp(min=1e-3).unbind(-1)
    value = both / (wa * ha + wb * hb - both + 1e-6)
    if not complete:
        return value
    out = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]).pow(2).sum(-1) / 4
    v = 0.4053 * (torch.atan(wb / hb) - torch.atan(wa / ha)).pow(2)  # 4 / pi^2
    with torch.no_grad():
        weight = v / (1 - value + v + 1e-6)
    return value - apart / (out.pow(2).sum(-1) + 1e-6) - weight * v


@torch.no_grad()
def assign(scores, boxes, centres, strides, truth):
    """scores [B,N,C], boxes [B,N,4] px, truth [B,M,5] -> soft class targets [B,N,C], box targets [B,N,4], weights [B,N]."""
    real = truth[..., 0] >= 0
    label, want = truth[..., 0].clamp(min=0).long(), truth[..., 1:]
    side = (want[..., 2:] - want[..., :2]).clamp(min=float(strides.min()))  # a small box still holds one centre
    mid = (want[..., 2:] + want[..., :2]) / 2
    inside = ((centres - mid[:, :, None]).abs() < side[:, :, None] / 2).all(-1) & real[..., None]
    overlap = iou(boxes[:, None], want[:, :, None]) * inside
    score = scores.transpose(1, 2).gather(1, label[..., None].expand(-1, -1, scores.shape[1]))
    align = score.pow(ALPHA) * overlap.pow(BETA) * inside
    best, at = align.topk(TOP, -1)
    chosen = torch.zeros_like(align, dtype=torch.bool).scatter_(2, at, best > 0)
    # A cell wanted by several boxes serves the one it covers best.
    owner = (overlap * chosen).argmax(1)
    chosen &= F.one_hot(owner, align.shape[1]).transpose(1, 2).bool()
    top_align = (align * chosen).amax(-1, keepdim=True)
    top_overlap = (overlap * chosen).amax(-1, keepdim=True)
    weight = (align * chosen / (top_align + 1e-9) * top_overlap).amax(1)
    pick = lambda values: values.gather(1, owner[..., None].expand(-1, -1, values.shape[-1]))
    target = F.one_hot(pick(label[..., None])[..., 0], scores.shape[-1]) * weight[..., None]
    return target, pick(want), weight


def loss(logits, sides, truth, centres, strides):
    """The mean cost a unit of assigned weight, and its three parts."""
    boxes = boxes_px(sides, centres, strides)
    target, want, weight = assign(logits.detach().sigmoid(), boxes.detach(), centres, strides, truth)
    total = weight.sum().clamp(min=1.0)
    classes = F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / total
    used = weight > 0
    w = weight[used]
    place = ((1 - iou(boxes[used], want[used], complete=True)) * w).sum() / total
    points = centres.expand(len(truth), -1, -1)[used]
    stride = strides.expand(len(truth), -1)[used][:, None]
    reach = torch.cat([points - want[used][:, :2], want[used][:, 2:] - points], -1) / stride
    reach = reach.clamp(0, BINS - 1 - 0.01)
    low = reach.long()
    share = reach - low
    flat = sides[used].flatten(0, 1)
    entropy = lambda index: F.cross_entropy(flat, index.flatten(), reduction="none").view_as(share)
    spread = ((entropy(low) * (1 - share) + entropy(low + 1) * share).mean(-1) * w).sum() / total
    parts = (CLASS_GAIN * classes, BOX_GAIN * place, SIDES_GAIN * spread)
    return sum(parts), [float(p.detach()) for p in parts]
