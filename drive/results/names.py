"""The names of the files and folders in a run folder. Every other module takes them from here."""

from __future__ import annotations

from pathlib import Path

RUN = "run.json"
REPORT, LIVE_DATA = "report.html", "report-data.js"
METRICS = "metrics.json"
MANIFEST, SUMMARY = "manifest.json", "summary.csv"
BENCH = "bench.json"

DETECTIONS, STEERING, SIMULATION = "detections.csv", "steering.csv", "simulation.csv"
HISTORY, PREDICTIONS = "history.csv", "predictions.csv"

STEERING_OVER_TIME, STEERING_DISTRIBUTION = "steering_over_time.png", "steering_distribution.png"
LOSS_PLOT, SIMULATION_PLOT = "loss.png", "simulation.png"

IMAGES = "images"  # folder of the annotated images, where the source was images
NOTES_FOLDER, NOTES = "report_files", "notes.json"  # what a training leaves for its report
STUDY, TRIALS, BEST_CONFIG, SEARCH_PLOT = "study.db", "trials.csv", "best.toml", "search.png"
TRIAL_FOLDERS = "trials"
MEMBER = "member"  # how the folders of an ensemble's members begin: `member1`, ...
DETECTOR, DETECTOR_INT8, DETECTOR_KERAS = "detector.onnx", "detector-int8.onnx", "detector.keras"
CURVES, EXAMPLES = "precision_recall.png", "predictions.png"
AUGMENTED_VIEWS = "augmented_views.png"
RATE_TABLE, RATE_PLOT = "learning_rate_finder.csv", "learning_rate_finder.png"

CHECKPOINT, TENSORBOARD = "checkpoint", "tensorboard"


def recording_folder(name: str) -> str:
    """Return the name of the folder that a recording has in a run over several."""
    return "_".join(part for part in Path(name).parts if part != "/")
