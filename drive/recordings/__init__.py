"""Recordings: formats, `recording.toml`, labels and time, checks, geometry of camera and car."""
