"""Cars: the networks that find them, their training, decoding, tracking and evaluation."""

from __future__ import annotations

from drive.detection.detector import Detector, load_detector

__all__ = ["Detector", "load_detector"]
