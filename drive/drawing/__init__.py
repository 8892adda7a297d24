"""Drawings: annotated frames, plots, sheets, previews."""
