"""Steering: the network that turns a picture of the road into an angle, from data to evaluation."""

from __future__ import annotations

from drive.steering.predict import SteeringModel, load_steering

__all__ = ["SteeringModel", "load_steering"]
