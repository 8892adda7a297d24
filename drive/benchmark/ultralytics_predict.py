"""Ultralytics' own predict-and-save, timed for `bench --ultralytics PYTHON`, in an environment that
has it: its package needs gigabytes, so `bench` runs this file with another interpreter.

    PYTHON benchmarks/ultralytics_predict.py VIDEO FOLDER [--model yolo11n.yaml]

Speed is what is compared, so the network has random weights. It is built before the clock starts.
Prints one line of JSON for each line that it reads on standard input: `{"seconds": ..., "frames":
...}`. Nothing of drive is used.
"""

from __future__ import annotations

import argparse
import json
import sys
import time


def main() -> None:
    """Predict and save once for each line on standard input."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("video")
    parser.add_argument("folder")
    parser.add_argument("--model", default="yolo11n.yaml")
    args = parser.parse_args()
    from ultralytics import YOLO

    network = YOLO(args.model)
    for _ in sys.stdin:
        began = time.perf_counter()
        how = {"save": True, "project": args.folder, "exist_ok": True, "verbose": False}
        results = network.predict(source=args.video, stream=True, device="cpu", **how)
        frames = sum(1 for _ in results)
        sys.stdout.write(json.dumps({"seconds": time.perf_counter() - began, "frames": frames}))
        sys.stdout.write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
