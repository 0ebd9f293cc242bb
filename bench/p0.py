"""P0: a street camera watched the way it is usually written in Python, in an afternoon.

A thread reads every frame with cv2.VideoCapture and keeps the last one; the main loop takes it five times a second, runs the
model with onnxruntime's defaults, suppresses doubles with cv2.dnn and publishes what it found with paho. No gate, no tracks, no
evidence. The bench compares the agent with it; a line on standard input is answered with the counts so far.

    p0.py URL MODEL.onnx MQTT-PORT
"""

import json
import sys
import threading
import time

import cv2
import numpy as np
import onnxruntime as ort
import paho.mqtt.client as mqtt

LOOKS_PER_S = 5.0
MIN_SCORE = 0.4


class Camera(threading.Thread):
    def __init__(self, url):
        super().__init__(daemon=True)
        self.capture = cv2.VideoCapture(url)
        self.frame, self.frames = None, 0
        self.lock = threading.Lock()

    def run(self):
        while True:
            ok, frame = self.capture.read()
            if not ok:
                break
            with self.lock:
                self.frame = frame
                self.frames += 1

    def last(self):
        with self.lock:
            return self.frame


def detections(session, frame):
    node = session.get_inputs()[0]
    _, height, width, _ = node.shape
    rgb = cv2.cvtColor(cv2.resize(frame, (width, height)), cv2.COLOR_BGR2RGB)
    boxes, scores = session.run(None, {node.name: rgb[np.newaxis]})
    boxes, scores = boxes[0], scores[0]
    best = scores.max(axis=1)
    corner_and_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(corner_and_size.tolist(), best.tolist(), MIN_SCORE, 0.5)
    return [{"label": int(scores[i].argmax()), "score": round(float(best[i]), 3),
             "box": [round(float(v), 4) for v in boxes[i]]} for i in np.array(kept).ravel()]


def main():
    url, model, port = sys.argv[1:4]
    counts = {"frames": 0, "analysed": 0}

    def answer():
        for _ in sys.stdin:
            counts["frames"] = camera.frames
            print(json.dumps(counts), flush=True)

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", int(port))
    client.loop_start()
    session = ort.InferenceSession(model)
    camera = Camera(url)
    camera.start()
    threading.Thread(target=answer, daemon=True).start()
    while camera.is_alive():
        start = time.time()
        frame = camera.last()
        if frame is not None:
            found = detections(session, frame)
            client.publish("python/detections", json.dumps({"time": start, "found": found}))
            counts["analysed"] += 1
        time.sleep(max(0.0, 1 / LOOKS_PER_S - (time.time() - start)))


main()
