"""Ultralytics' predict-and-save, which `bench --ultralytics PYTHON` runs with that interpreter.

    PYTHON ultralytics_predict.py VIDEO FOLDER

The package takes gigabytes, so it has an environment of its own; nothing of drive is used here.
Only speed is compared, so the network has random weights; it is built before the clock starts. Each
line on standard input starts one pass, which prints one line of JSON: {"seconds": S, "frames": N}.
"""

from __future__ import annotations

import json
import sys
import time

MODEL = "yolo11n.yaml"


def main(video: str, folder: str) -> None:
    """Predict and save once per line on standard input."""
    from ultralytics import YOLO

    network = YOLO(MODEL)
    for _ in sys.stdin:
        began = time.perf_counter()
        how = {"save": True, "project": folder, "exist_ok": True, "verbose": False}
        results = network.predict(source=video, stream=True, device="cpu", **how)
        frames = sum(1 for _ in results)
        said = {"seconds": time.perf_counter() - began, "frames": frames}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
