"""The data of a report, as the page's scripts take it: JSON with these entries.

Times are seconds. A column's value is its little-endian number times `scale`; missing values are
NaN.
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
    """A key number of a run, as text."""

    label: str
    value: str
    note: str


class Image(TypedDict):
    """An image of the run; `src` is a relative link, as everywhere."""

    src: str
    title: str
    note: str


class File(TypedDict):
    """A result to open."""

    src: str
    name: str
    bytes: int


class Inner(TypedDict):
    """A video of a run over several; `src` is its own page."""

    title: str
    src: str | None
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
    """Frame numbers, and seconds on the video's clock, ascending."""

    index: Column
    time: Column


class Curve(TypedDict):
    """A value per frame."""

    name: str
    role: str
    values: Column


class Chart(TypedDict):
    """Curves on one axis."""

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
    """A frame that is worth a look."""

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
    pictures: NotRequired[list[str]]
    recording: NotRequired[int | None]  # its number among the recordings whose ranges can change


class History(TypedDict):
    """Rows of `history.csv`; `name` is that of an ensemble's member."""

    name: str
    rows: list[list[float | None]]


class Share(TypedDict):
    """How often angles fall into each bin."""

    name: str
    shares: list[float]


class Distribution(TypedDict):
    """Bins of angles."""

    edges: list[float]
    series: list[Share]


class Predictions(TypedDict):
    """Predictions on held-out recordings, a value per frame; `name` is an index into `names`."""

    angle: Column
    truth: Column
    names: list[str]
    name: Column
    frame: Column
    time: Column


class Training(TypedDict):
    """A training."""

    epochs: int | None  # asked for
    histories: list[History]
    loss_unit: str
    loss_note: str
    distribution: Distribution | None
    predictions: Predictions | None
    worst: list[Image]
    layers: list[Image]
    updated: float


class Trial(TypedDict):
    """A finished trial of a search; `src` is its own page."""

    trial: int
    outcome: str
    val_loss: float | None
    best_epoch: int
    epochs: int
    seconds: float
    values: dict[str, float | str]
    src: str | None


class Search(TypedDict):
    """A search for settings."""

    asked: int | None
    names: list[str]
    trials: list[Trial]
    best: int | None
    picture: str | None


class Report(TypedDict):
    """Everything a page shows of a run."""

    format: int
    command: str
    title: str
    started: str
    command_line: str
    live: bool  # the run goes on, and `report-data.js` changes
    stopped: NotRequired[bool]  # it ended early
    reason: NotRequired[str]  # why; empty if somebody stopped it
    written: NotRequired[float]  # of a run that goes on or was stopped: its numbers,
    alive: NotRequired[float]  # and its last sign of life
    damaged: list[str]  # what cannot be read, and is left out
    warnings: list[str]
    facts: list[Fact]
    drives: list[Recording]
    training: Training | None
    search: Search | None
    runs: list[Inner]
    pictures: list[Image]
    settings: list[list[str]]
    files: list[File]
