"""What a SOURCE is: a video, images, a camera or a stream, by its name; nothing is opened."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from drive.core.errors import InputError, MissingFileError
from drive.video.container import is_stream

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".ts", ".mpg"})


class Kind(Enum):
    """The kinds of sources."""

    VIDEO = "video"
    IMAGES = "images"
    CAMERA = "camera"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Source:
    """A source; `images` are its files in natural order."""

    kind: Kind
    name: str
    images: tuple[Path, ...] = ()

    @property
    def stem(self) -> str:
        """The name of result files."""
        if self.kind is Kind.CAMERA:
            return f"camera{self.name}"
        if self.kind is Kind.STREAM:
            return re.sub(r"\W+", "-", self.name.split("://", 1)[1]).strip("-") or "stream"
        path = Path(self.name)
        if path.is_dir():
            return path.resolve().name or "images"
        if path.exists():
            return path.stem
        return re.sub(r"[*?\[\]]+", "", path.stem).strip("-_") or "images"


def find_source(text: str | Path) -> Source:
    """Return the source that `text` names."""
    name = str(text)
    if not name.strip():
        raise InputError("the source is empty; expected a video, images, a camera or a URL")
    if name.isdigit() and not Path(name).exists():
        return Source(Kind.CAMERA, name)
    if is_stream(name):
        return Source(Kind.STREAM, name)
    path = Path(name)
    if path.is_dir():
        return Source(Kind.IMAGES, name, _images(path.iterdir(), name))
    if path.exists():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return Source(Kind.IMAGES, name, (path,))
        return Source(Kind.VIDEO, name)
    if glob.has_magic(name):
        return _from_glob(name)
    raise MissingFileError(
        f"there is no file or folder {name}; expected a video, an image, a folder or glob of "
        "images, a camera index or a stream URL"
    )


def spread_videos(
    texts: Iterable[str], message: Callable[[str], None] = lambda text: None
) -> list[str]:
    """Expand globs that match videos and no image; leave other names; drop and tell duplicates."""
    spread: dict[str, str] = {}
    for name in (name for text in texts for name in _videos_of(text)):
        if (file := _identity(name)) not in spread:
            spread[file] = name
        else:
            message(f"{name} is named more than once; it is analysed once")
    return list(spread.values())


def _videos_of(text: str) -> list[str]:
    if not glob.has_magic(text) or Path(text).exists():
        return [text]
    matches = [Path(match) for match in glob.glob(text, recursive=True)]  # noqa: PTH207
    suffixes = {path.suffix.lower() for path in matches}
    videos = [path for path in matches if path.suffix.lower() in VIDEO_SUFFIXES]
    if len(matches) == 1:
        videos = matches
    if not videos or suffixes & IMAGE_SUFFIXES:
        return [text]
    return [str(path) for path in sorted(videos, key=_natural)]


def _identity(name: str) -> str:
    path = Path(name)
    return str(path.resolve()) if path.is_file() else name


def _from_glob(pattern: str) -> Source:
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207
    if not matches:
        raise InputError(f"{pattern} matches no file; expected a video or images")
    if len(matches) == 1 and matches[0].suffix.lower() not in IMAGE_SUFFIXES:
        return find_source(matches[0])
    return Source(Kind.IMAGES, pattern, _images(matches, pattern))


def _images(candidates: Iterable[Path], where: str) -> tuple[Path, ...]:
    paths = sorted(candidates, key=_natural)
    images = tuple(path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES)
    if images:
        return images
    text = f"{where} has no images; expected files that end in {', '.join(sorted(IMAGE_SUFFIXES))}"
    if video := next((path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES), None):
        text += f"; it has videos: name them, or all of them as '{video.parent}/*{video.suffix}'"
    raise InputError(text)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key with frame9 before frame10."""
    parts = re.split(r"(\d+)", str(path))
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
