"""What the class `stall` is worth: `python stallcheck.py ../waste.toml --composed DIR --data garbage3 --footage VIDEO ... [--out DIR]`.

Found: on the composed set of scenes.py, by form, light and size, at each threshold. False: on pictures and footage that show none, as
whole pictures and as the crops that the agent asks about. Owns: tables, a sheet of hits and failures. Must not know: training.
"""

import argparse
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np

import data
import evaluate
from compose import STALL
from metrics import HIT_IOU, Found, curve, each_class, overlap

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "convert"))

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
ASPECT = 5 / 3
WIDTHS = ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01))  # of the picture
FRAMES = 24
CREDIT = "places: Roboflow project-shb1t/-111-ehcfr v2, CC BY 4.0; stalls rendered by us (thin: truth, thick: found)"


def scores_of(detector, rgb):
    """Scores of the stall boxes of one look, best first."""
    out, _ = detector.raw(rgb)
    return sorted((s for c, s, _ in each_class(out["boxes"][0], out["scores"][0]) if c == STALL), reverse=True)


def crops(rgb, n=3):
    """n by n overlapping crops of half the picture's width, 5:3 wide."""
    h, w = rgb.shape[:2]
    cw = min(w // 2, int(h * ASPECT))
    ch = int(cw / ASPECT)
    for y in np.linspace(0, h - ch, n).astype(int):
        for x in np.linspace(0, w - cw, n).astype(int):
            yield rgb[y:y + ch, x:x + cw]


def falsehood(name, looks):
    """Looks with a stall box over each threshold; none of them shows a stall."""
    best = np.array([s[0] if s else 0.0 for s in looks])
    print(f"{name:42} {len(best):5} looks  " + " ".join(f"{(best >= t).sum():5}" for t in THRESHOLDS))


def false_boxes(detector, a):
    print(f"\nlooks with a false stall box at thresholds{'':14}" + " ".join(f"{t:5}" for t in THRESHOLDS))
    pictures = data.read(a.data / "valid", half=False)
    falsehood("real validation pictures, whole", [scores_of(detector, p.rgb) for p in pictures])
    falsehood("real validation pictures, crops", [scores_of(detector, c) for p in pictures for c in crops(p.rgb, 2)])
    for path in a.footage:
        frames = [cv2.cvtColor(f, cv2.COLOR_BGR2RGB) for f in whole_frames(path)]
        falsehood(f"{path.stem}, whole", [scores_of(detector, f) for f in frames])
        falsehood(f"{path.stem}, crops", [scores_of(detector, c) for f in frames for c in crops(f)])


def clips(detector, a):
    """The test clips: the best stall score of crops twice as wide as each true stall; false looks of clips without one. Another scene, another
    lens, but meshes that some of our cut-outs share."""
    quiet = []
    print("\ntest clips, best stall score in a crop around what is there, 2, 6 and 10 s after it was set up")
    for truth in sorted(a.clips.glob("*.truth.toml")):
        told, path = tomllib.loads(truth.read_text()), truth.with_name(truth.name.replace(".truth.toml", ".mp4"))
        events = [e for e in told.get("event", []) if e["kind"].startswith(("stall", "shopfront"))]
        if not events and path.exists():
            quiet += [scores_of(detector, c) for f in whole_frames(path, 6) for c in crops(cv2.cvtColor(f, cv2.COLOR_BGR2RGB))]
        for e in events:
            looks = [around(cv2.cvtColor(f, cv2.COLOR_BGR2RGB), e["bbox_norm"]) for f in frames_at(path, [e["start_s"] + s for s in (2, 6, 10)])]
            print(f"{path.stem:16} {e['kind']:22} " + " ".join(f"{max(scores_of(detector, c), default=0):.2f}" for c in looks))
    falsehood("clips without a stall, crops", quiet)


def around(rgb, box, wider=2.0):
    h, w = rgb.shape[:2]
    x, y, bw, bh = np.array(box) * [w, h, w, h]
    cw = min(w, max(bw * wider, bh * 1.4 * ASPECT))
    ch = min(h, cw / ASPECT)
    x0, y0 = np.clip([x + bw / 2 - cw / 2, y + bh / 2 - ch / 2], 0, [w - cw, h - ch]).astype(int)
    return rgb[y0:y0 + int(ch), x0:x0 + int(cw)]


def frames_at(path, seconds):
    video = cv2.VideoCapture(str(path))
    for s in seconds:
        video.set(cv2.CAP_PROP_POS_MSEC, 1000 * s)
        good, bgr = video.read()
        if good:
            yield bgr


def whole_frames(path, most=FRAMES):
    video = cv2.VideoCapture(str(path))
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    for n in np.linspace(0, max(0, count - 2), most).astype(int):
        video.set(cv2.CAP_PROP_POS_FRAMES, int(n))
        good, bgr = video.read()
        if good:
            yield bgr


def group(title, keys, found, truth, wanted):
    """AP50 and recall at each threshold of the pictures of each key; false boxes come from those pictures alone."""
    print(f"\n{title:24} boxes   AP50  recall at " + " ".join(f"{t:5}" for t in THRESHOLDS))
    for key in wanted:
        chosen = [n for n, k in enumerate(keys) if k == key]
        at = {n: k for k, n in enumerate(chosen)}
        c = curve([Found(at[f.picture], f.label, f.score, f.box) for f in found if f.picture in at], [truth[n] for n in chosen], [STALL])
        if c.truths:
            print(f"{key!s:24} {c.truths:5} {c.area:.3f}{'':12}" + " ".join(f"{c.at(t)[1]:5.2f}" for t in THRESHOLDS))


def size_key(boxes):
    widths = [b[3] - b[1] for b in boxes if b[0] == STALL]
    return next((f"width {lo:.1f} to {hi:.1f}" for lo, hi in WIDTHS if widths and lo <= widths[0] < hi), None)


def seen(detector, a):
    pictures = data.read(a.composed / "valid", half=False)
    truth = [p.boxes for p in pictures]
    forms, lights = zip(*(p.name.split("-")[1:3] for p in pictures))
    found = [f for f in evaluate.by_manifest(detector, pictures)[0] if f.label == STALL]
    trained = ["trained forms" if f not in a.held.split(",") else "held-out form" for f in forms]
    group("composed validation", ["all"] * len(pictures), found, truth, ["all"])
    group("", trained, found, truth, ["trained forms", "held-out form"])
    group("form", forms, found, truth, sorted(set(forms)))
    group("light it was rendered in", lights, found, truth, sorted(set(lights)))
    sizes = [size_key(t) for t in truth]
    group("size", sizes, found, truth, sorted({s for s in sizes if s}))
    whole = curve(found, truth, [STALL])
    print("\nthreshold precision recall false boxes")
    for t in THRESHOLDS:
        print("{:9} {:9.3f} {:6.3f} {:5}".format(t, *whole.at(t)))
    empty = [n for n, f in enumerate(forms) if f == "none"]
    falsehood("composed without a stall", [[f.score for f in found if f.picture == n][:1] for n in empty])
    if a.out:
        sheet(pictures, truth, found, detector.labels[STALL]["min_score"], a.out / "stalls.jpg")
        missed(pictures, truth, found, detector.labels[STALL]["min_score"], a.out / "stall-failures.jpg")


def tile(picture, rows, found, width=256, height=154):
    bgr = cv2.resize(picture.rgb[:, :, ::-1], (width, height), interpolation=cv2.INTER_AREA)
    size = np.array([width, height] * 2)
    for row in rows:
        if row[0] == STALL:
            x0, y0, x1, y1 = (row[1:] * size).round().astype(int).tolist()
            cv2.rectangle(bgr, (x0, y0), (x1, y1), (255, 255, 255), 1)
    for f in found:
        x0, y0, x1, y1 = (f.box * size).round().astype(int).tolist()
        cv2.rectangle(bgr, (x0, y0), (x1, y1), (193, 134, 46), 2)
        cv2.putText(bgr, f"{f.score:.2f}", (x0 + 2, max(10, y0 + 10)), 0, 0.35, (255, 255, 255), 1, cv2.LINE_AA)
    return bgr


def compiled(tiles, path, columns=5):
    while len(tiles) % columns:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.hstack(tiles[k:k + columns]) for k in range(0, len(tiles), columns)]
    strip = np.full((18, rows[0].shape[1], 3), 255, np.uint8)
    cv2.putText(strip, CREDIT, (4, 13), 0, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.imwrite(str(path), np.vstack([*rows, strip]), [cv2.IMWRITE_JPEG_QUALITY, 70])


def sheet(pictures, truth, found, score, path, count=20):
    """Any pictures of the set, as they come."""
    chosen = np.linspace(1, len(pictures) - 1, count).astype(int)
    compiled([tile(pictures[n], truth[n], [f for f in found if f.picture == n and f.score >= score]) for n in chosen], path)


def missed(pictures, truth, found, score, path, count=20):
    """Missed stalls first, then false boxes."""
    bad = []
    for n, rows in enumerate(truth):
        mine = [f for f in found if f.picture == n and f.score >= score]
        rows = rows[rows[:, 0] == STALL, 1:]
        hit = [len(rows) and overlap(f.box[None], rows).max() >= HIT_IOU for f in mine]
        if len(rows) > sum(hit) or not all(hit):
            bad.append((not len(rows) > sum(hit), n))
    compiled([tile(pictures[n], truth[n], [f for f in found if f.picture == n and f.score >= score]) for _, n in sorted(bad)[:count]], path)


def main():
    import detect
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("manifest", type=Path)
    p.add_argument("--composed", type=Path, required=True, help="what scenes.py wrote")
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--footage", type=Path, nargs="*", default=[])
    p.add_argument("--clips", type=Path, help="folder of test clips with their truths")
    p.add_argument("--held", default="truck", help="forms never trained on")
    p.add_argument("--out", type=Path, help="folder for the pictures")
    a = p.parse_args()
    detector = detect.Model(a.manifest)
    seen(detector, a)
    false_boxes(detector, a)
    if a.clips:
        clips(detector, a)


if __name__ == "__main__":
    main()
