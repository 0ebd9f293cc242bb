"""P1: the same as P0 by somebody who tunes it, still in Python.

One thread for OpenCV, its decoder and onnxruntime each, no spinning, all optimisations; grab() on every frame, retrieve() (colour
conversion) only for the newest one that is looked at; suppression in numpy on the few boxes above the threshold.

    p1.py URL MODEL.onnx MQTT-PORT
"""

import json
import os
import sys
import threading
import time

# Read when the first capture opens; it holds for the whole process.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp|threads;1")

import cv2
import numpy as np
import onnxruntime as ort
import paho.mqtt.client as mqtt

LOOKS_PER_S = 5.0
MIN_SCORE, MAX_OVERLAP = 0.4, 0.5


class Camera(threading.Thread):
    """Decodes every frame, converts only those that are due; the slot holds the newest."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
        self.frame, self.frames, self.due = None, 0, 0.0
        self.fresh = threading.Condition()

    def run(self):
        while self.capture.grab():
            self.frames += 1
            now = time.monotonic()
            if now < self.due:
                continue
            self.due = max(self.due + 1 / LOOKS_PER_S, now - 1 / LOOKS_PER_S)
            ok, frame = self.capture.retrieve()
            if ok:
                with self.fresh:
                    self.frame = frame
                    self.fresh.notify()

    def take(self):
        with self.fresh:
            self.fresh.wait_for(lambda: self.frame is not None, timeout=5)
            frame, self.frame = self.frame, None
            return frame


def session_of(model):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def detections(session, node, frame):
    _, height, width, _ = node.shape
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    boxes, scores = session.run(None, {node.name: cv2.cvtColor(small, cv2.COLOR_BGR2RGB)[np.newaxis]})
    boxes, scores = boxes[0], scores[0]
    best = scores.max(axis=1)
    order = np.flatnonzero(best >= MIN_SCORE)
    order = order[np.argsort(-best[order])]
    kept = []
    while order.size:
        first, order = order[0], order[1:]
        kept.append(first)
        order = order[overlap(boxes[first], boxes[order]) <= MAX_OVERLAP]
    return [{"label": int(scores[i].argmax()), "score": round(float(best[i]), 3),
             "box": [round(float(v), 4) for v in boxes[i]]} for i in kept]


def overlap(one, many):
    """Intersection over union of one box with many, corners in 0..1."""
    size = np.minimum(one[2:], many[:, 2:]) - np.maximum(one[:2], many[:, :2])
    both = np.prod(np.maximum(size, 0), axis=1)
    areas = np.prod(many[:, 2:] - many[:, :2], axis=1) + np.prod(one[2:] - one[:2])
    return both / np.maximum(areas - both, 1e-9)


def main():
    url, model, port = sys.argv[1:4]
    cv2.setNumThreads(1)
    counts = {"frames": 0, "analysed": 0}

    def answer():
        for _ in sys.stdin:
            counts["frames"] = camera.frames
            print(json.dumps(counts), flush=True)

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", int(port))
    client.loop_start()
    session = session_of(model)
    node = session.get_inputs()[0]
    camera = Camera(url)
    camera.start()
    threading.Thread(target=answer, daemon=True).start()
    while camera.is_alive():
        frame = camera.take()
        if frame is not None:
            found = detections(session, node, frame)
            client.publish("python/detections", json.dumps({"time": time.time(), "found": found}))
            counts["analysed"] += 1


main()
