"""Frames: from files and cameras to pictures with the right time and the right steering angle."""
