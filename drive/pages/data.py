"""The data of a report, as the page's scripts take it: JSON with these entries.

Times are seconds. A column's value is its little-endian number times `scale`; missing values are
NaN. Every `src` is a link relative to the run folder, URL-encoded.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

FORMAT = 1


class Column(TypedDict, total=False):
    """Numbers: packed (`scale`, `data` in base64), or evenly spaced (`start`, `step`)."""

    type: str  # u8, u16, u32, i8, i16, i32, f32, f64 or linear
    n: int
    scale: float
    data: str
    start: float
    step: float


class Fact(TypedDict):
    label: str
    value: str
    note: str


class Image(TypedDict):
    src: str
    title: str
    note: str


class File(TypedDict):
    src: str
    name: str
    bytes: int


class Inner(TypedDict):  # a video of a run over several
    title: str
    src: str | None  # its own page
    status: str
    reason: str | None
    facts: list[Fact]


class Video(TypedDict):
    """A video; one that is not `annotated` is the source, whose clock the tables have."""

    src: str
    width: int
    height: int
    annotated: bool


class Frames(TypedDict):
    index: Column
    time: Column  # on the video's clock, ascending


class Curve(TypedDict):
    name: str
    role: str
    values: Column


class Chart(TypedDict):
    id: str
    title: str
    unit: str
    note: str
    steps: bool  # whether values hold until the next one
    zero: bool  # whether the axis includes 0
    limits: list[float]  # lines across
    series: list[Curve]


class Boxes(TypedDict):
    """Detections, a value per box."""

    at: Column  # position of its frame in `frames`
    track: Column  # 0 without one
    labels: list[str]
    label: Column  # index into labels
    score: Column
    x1: Column
    y1: Column
    x2: Column
    y2: Column


class Moment(TypedDict):
    kind: str  # difference, near or intervention
    time: float
    frame: int
    text: str


class Recording(TypedDict):
    """A video with its frames, charts and boxes; or images, one per frame, without a clock."""

    name: str
    video: Video | None
    first_s: float  # `time_s` of the tables at second 0 of the video
    duration: float
    frames: Frames
    gaps: list[int]  # positions of frames with a gap in time before them
    charts: list[Chart]
    detections: Boxes | None
    moments: list[Moment]
    images: NotRequired[list[str]]
    recording: NotRequired[int | None]  # its number among the recordings whose ranges can change


class History(TypedDict):
    name: str  # of an ensemble's member; else empty
    rows: list[list[float | None]]  # of history.csv


class Share(TypedDict):
    name: str
    shares: list[float]


class Distribution(TypedDict):
    edges: list[float]
    series: list[Share]


class Predictions(TypedDict):  # on held-out recordings, a value per frame
    angle: Column
    truth: Column
    names: list[str]
    name: Column  # index into names
    frame: Column
    time: Column


class Level(TypedDict):  # a validation loss to compare with
    name: str
    loss: float


class Training(TypedDict):
    epochs: int | None  # asked for
    histories: list[History]
    levels: NotRequired[list[Level]]
    loss_unit: str
    loss_note: str
    distribution: Distribution | None
    predictions: Predictions | None
    worst: list[Image]
    layers: list[Image]
    updated: float


class Trial(TypedDict):
    trial: int
    outcome: str
    val_loss: float | None
    best_epoch: int
    epochs: int
    seconds: float
    values: dict[str, float | str]
    src: str | None


class Search(TypedDict):
    asked: int | None
    names: list[str]
    trials: list[Trial]
    best: int | None
    image: str | None


class Verdict(TypedDict):
    sentence: str
    level: str  # "good", "weak" or "nothing"
    causes: list[str]


class Report(TypedDict):
    """Everything a page shows of a run."""

    format: int
    command: str
    title: str
    started: str
    command_line: str
    live: bool  # the run is in progress, and `report-data.js` changes
    stopped: NotRequired[bool]  # it ended early
    reason: NotRequired[str]  # why; empty if somebody stopped it
    written: NotRequired[float]  # of a run in progress or stopped: its numbers,
    alive: NotRequired[float]  # and its last sign of life
    damaged: list[str]  # what cannot be read, and is left out
    warnings: list[str]
    verdict: NotRequired[Verdict | None]  # on steering predictions
    facts: list[Fact]
    recordings: list[Recording]
    training: Training | None
    search: Search | None
    runs: list[Inner]
    images: list[Image]
    settings: list[list[str]]
    files: list[File]
