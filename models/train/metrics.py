"""Average precision and suppression: plain arrays in, figures out.

Owns: matching of found boxes to true ones at IoU 0.5 (greedy by score, each truth once, as PASCAL VOC does), the area
under the precision-recall curve (all points, precision made monotone). Must not know: models, files.
"""

from dataclasses import dataclass

import numpy as np

HIT_IOU = 0.5


@dataclass
class Found:
    """One box of one picture."""
    picture: int
    label: int
    score: float
    box: np.ndarray  # x0, y0, x1, y1 in 0..1


@dataclass
class Curve:
    """Found boxes of one class over all pictures, best first."""
    scores: np.ndarray
    hits: np.ndarray      # bool
    truths: int

    @property
    def recall(self):
        return np.cumsum(self.hits) / max(self.truths, 1)

    @property
    def precision(self):
        return np.cumsum(self.hits) / np.maximum(1, np.arange(1, len(self.hits) + 1))

    @property
    def area(self):
        """Average precision, 0..1."""
        recall = np.concatenate([[0], self.recall, [1]])
        precision = np.concatenate([[1], self.precision, [0]])
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        return float(np.sum(np.diff(recall) * precision[1:]))

    def best(self):
        """(score, precision, recall) where F1 is highest."""
        if not len(self.scores):
            return 1.0, 0.0, 0.0
        f1 = 2 * self.precision * self.recall / np.maximum(self.precision + self.recall, 1e-9)
        k = int(f1.argmax())
        return float(self.scores[k]), float(self.precision[k]), float(self.recall[k])

    def at(self, score):
        """(precision, recall, false boxes) of what reaches `score`."""
        n = int((self.scores >= score).sum())
        hits = int(self.hits[:n].sum())
        return hits / max(n, 1), hits / max(self.truths, 1), n - hits


def overlap(a, b):
    """IoU of each of `a` [n,4] with each of `b` [m,4]."""
    lo = np.maximum(a[:, None, :2], b[None, :, :2])
    hi = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.prod(np.maximum(hi - lo, 0), 2)
    area = lambda x: np.prod(np.maximum(x[:, 2:] - x[:, :2], 0), 1)
    return both / np.maximum(area(a)[:, None] + area(b)[None] - both, 1e-9)


def suppress(boxes, scores, limit):
    """Rows that greedy suppression keeps, best first."""
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[overlap(boxes[best][None], boxes[order])[0] <= limit]
    return kept


def each_class(boxes, scores, floor=0.01, limit=0.6, most=300):
    """The usual way to score a detector: every class of every box counts by itself. Yields (label, score, box)."""
    for c in range(scores.shape[1]):
        rows = np.flatnonzero(scores[:, c] >= floor)
        rows = rows[np.argsort(-scores[rows, c], kind="stable")][:most]
        for k in suppress(boxes[rows], scores[rows, c], limit):
            yield c, float(scores[rows[k], c]), boxes[rows[k]]


def curve(found, truth, labels, truth_labels=None):
    """The curve of `found` boxes with one of `labels` against true boxes ([n,5] a picture) of `truth_labels`."""
    mine = sorted((f for f in found if f.label in labels), key=lambda f: -f.score)
    wanted = [t[np.isin(t[:, 0], truth_labels or labels), 1:] for t in truth]
    taken = [np.zeros(len(w), bool) for w in wanted]
    hits = np.zeros(len(mine), bool)
    for k, f in enumerate(mine):
        if len(wanted[f.picture]):
            o = overlap(f.box[None], wanted[f.picture])[0] * ~taken[f.picture]
            best = int(o.argmax())
            if o[best] >= HIT_IOU:
                hits[k] = taken[f.picture][best] = True
    return Curve(np.array([f.score for f in mine]), hits, sum(len(w) for w in wanted))
