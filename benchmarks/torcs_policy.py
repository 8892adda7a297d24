"""Our steering network as a policy of ../shared/torcs/drive.py.

    python ../shared/torcs/drive.py g-track-3 --policy benchmarks/torcs_policy.py:load:MODEL[,LIGHT]

MODEL is a `.onnx` or `.keras` file, or empty for the one that ships; LIGHT multiplies the frame's
brightness (0.5 halves it, 2 doubles it; what exceeds white is cut off).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from drive import load_steering


class Predict:
    """What drive.py asks: an angle for each frame.

    Args:
        model: path of the network; None for the one that ships.
        light: factor on each frame's brightness.
    """

    def __init__(self, model: str | None, light: float) -> None:
        self.pilot = load_steering(model)
        levels = np.clip(np.rint(np.arange(256) * light), 0, 255)
        self.levels = levels.astype(np.uint8)

    def predict(self, frame_rgb: np.ndarray) -> float:
        """Degrees at the front wheels, positive right, for a (H, W, 3) uint8 RGB frame."""
        return self.pilot.predict(self.levels[frame_rgb])


def load(argument: str = "") -> Predict:
    """Make the policy that `MODEL[,LIGHT]` describes."""
    model, _, light = argument.partition(",")
    return Predict(model or None, float(light or 1))
