"""The writer: frame times, sound, colours, odd sizes, and nothing half-written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from drive.core.errors import EncodeError, InputError
from drive.video.mp4 import TICKS_PER_SECOND
from drive.video.reader import read_frames
from drive.video.writer import VideoWriter

MILLISECOND = 1e-3


def picture(width: int = 64, height: int = 48, value: int = 90) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def write_video(path: Path, times_s: list[float], **settings: object) -> VideoWriter:
    options = {"width": 64, "height": 48, "rate_hint": 20, **settings}
    with VideoWriter(path, **options) as writer:
        for number, time_s in enumerate(times_s):
            image = picture(options["width"], options["height"], number * 5 % 255)
            writer.write(image, time_s)
    return writer


def frame_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def make_source(path: Path, codec: str, seconds: float = 2.0, with_video: bool = True) -> Path:
    """A video with a tone that begins at 1 s, so that a shift of the sound can be measured."""
    rate_hz = 48_000
    with av.open(str(path), "w") as container:
        if with_video:
            video = container.add_stream("mpeg4", rate=10)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=rate_hz)
        audio.codec_context.layout = "mono"
        if with_video:
            for _ in range(int(seconds * 10)):
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture())))
            container.mux(video.encode(None))
        time_s = np.arange(int(seconds * rate_hz)) / rate_hz
        tone = np.where(time_s >= 1, 20_000 * np.sin(2 * np.pi * 440 * time_s), 0)
        for start in range(0, tone.size, 1024):
            samples = tone[None, start : start + 1024].astype(np.int16)
            sound = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            sound.sample_rate = rate_hz
            sound.pts = start
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    return path


def tone_begins_s(path: Path) -> float:
    """When the sound gets loud, relative to the first picture."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray().astype(float)).max(axis=0)
            samples /= 32768 if frame.format.name.startswith("s16") else 1
            loud = np.flatnonzero(samples > 0.1)
            if loud.size:
                return frame.time + loud[0] / frame.sample_rate
    raise AssertionError("the sound is silent")


def sound_span_s(path: Path) -> tuple[float, float]:
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return frames[0].time, frames[-1].time + frames[-1].samples / frames[-1].sample_rate


def test_variable_frame_times_are_kept(tmp_path: Path) -> None:
    steps = np.random.default_rng(0).uniform(0.005, 0.2, 60)
    times_s = list(np.cumsum(steps) - steps[0])
    path = tmp_path / "vfr.mp4"
    write_video(path, times_s, rate_hint=10)
    assert frame_times(path) == pytest.approx(times_s, abs=MILLISECOND)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        length_s = float(stream.duration * stream.time_base)
        assert length_s == pytest.approx(times_s[-1] + steps[-1], abs=MILLISECOND)
        assert float(stream.average_rate) == pytest.approx(60 / length_s, rel=1e-3)


@pytest.mark.parametrize("rate", [25, Fraction(30000, 1001), Fraction(24000, 1001), 10])
def test_a_constant_rate_reads_back_exactly(tmp_path: Path, rate: Fraction | int) -> None:
    path = tmp_path / "cfr.mp4"
    write_video(path, [float(number / Fraction(rate)) for number in range(30)], rate_hint=17)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == pytest.approx(float(rate), rel=1e-4)
        assert stream.frames == 30


def test_time_begins_at_the_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "late.mp4"
    write_video(path, [7.5, 7.6, 7.75])
    assert frame_times(path) == pytest.approx([0, 0.1, 0.25], abs=MILLISECOND)


def test_times_that_do_not_advance_are_bumped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "stuck.mp4"
    writer = write_video(path, [0.0, 0.1, 0.1, 0.05, 0.2])
    assert (writer.frames_written, writer.times_adjusted) == (5, 2)
    times_s = frame_times(path)
    assert len(times_s) == 5
    assert times_s == pytest.approx([0, 0.1, 0.1, 0.1, 0.2], abs=MILLISECOND)
    assert np.all(np.diff(times_s) > 0)


def test_it_is_h264_yuv420p_with_the_index_in_front(tmp_path: Path) -> None:
    path = tmp_path / "plain.mp4"
    write_video(path, [0, 0.05, 0.1])
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize(("height", "tag"), [(720, 1), (360, 6)])
@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40)])
def test_colours_come_back(
    tmp_path: Path, height: int, tag: int, colour: tuple[int, int, int]
) -> None:
    path = tmp_path / "colour.mp4"
    image = np.full((height, 64, 3), colour, dtype=np.uint8)
    with VideoWriter(path, width=64, height=height, rate_hint=10) as writer:
        writer.write(image, 0.0)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        codec = container.streams.video[0].codec_context
        assert (codec.colorspace, codec.color_primaries, codec.color_range) == (tag, tag, 1)
        error = np.abs(frame.to_ndarray(format="rgb24").astype(int) - image)
    assert error.max() <= 4


@pytest.mark.parametrize(("width", "height"), [(1, 1), (63, 47), (64, 47), (63, 48), (321, 241)])
def test_odd_sizes_repeat_the_last_row_and_column(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "odd.mp4"
    ramp = np.linspace(40, 200, width).astype(np.uint8)
    image = np.broadcast_to(ramp[None, :, None], (height, width, 3))
    with VideoWriter(path, width=width, height=height, rate_hint=10) as writer:
        writer.write(image, 0.0)
    with av.open(str(path)) as container:
        decoded = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert decoded.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(decoded[:height, :width] - image).mean() < 4
    assert np.abs(decoded[-1, -1] - int(image[-1, -1, 0])).max() < 8


@pytest.mark.parametrize(
    ("name", "codec", "kept"),
    [("a.mp4", "aac", "aac"), ("b.mkv", "pcm_s16le", "aac"), ("c.mkv", "flac", "flac")],
)
def test_sound_is_kept_and_stays_in_step(tmp_path: Path, name: str, codec: str, kept: str) -> None:
    source = make_source(tmp_path / name, codec)
    path = tmp_path / "out.mp4"
    writer = write_video(path, [number / 10 for number in range(20)], audio_from=source)
    assert writer.audio == ("copied" if codec == kept else "encoded as AAC")
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == kept
    assert tone_begins_s(path) == pytest.approx(tone_begins_s(source), abs=0.005)
    assert sound_span_s(path)[1] == pytest.approx(2.0, abs=0.05)
    assert frame_times(path) == pytest.approx([n / 10 for n in range(20)], abs=MILLISECOND)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("b.mkv", "pcm_s16le")])
def test_sound_is_cut_with_the_pictures(tmp_path: Path, name: str, codec: str) -> None:
    source = make_source(tmp_path / name, codec, seconds=3)
    path = tmp_path / "out.mp4"
    times_s = [0.5 + number / 10 for number in range(10)]
    write_video(path, times_s, audio_from=source, audio_start_s=0.45, audio_end_s=1.5)
    assert tone_begins_s(path) == pytest.approx(0.5, abs=0.03)
    start_s, end_s = sound_span_s(path)
    assert start_s < 0.05
    assert end_s == pytest.approx(1.0, abs=0.05)
    assert frame_times(path) == pytest.approx([n / 10 for n in range(10)], abs=MILLISECOND)


def test_packets_are_copied_bit_for_bit(tmp_path: Path) -> None:
    source = make_source(tmp_path / "a.mp4", "aac")
    path = tmp_path / "out.mp4"
    write_video(path, [number / 10 for number in range(20)], audio_from=source)

    def packets(file: Path) -> list[bytes]:
        with av.open(str(file)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    copied, original = packets(path), packets(source)
    assert copied == original[-len(copied) :]
    assert len(original) - len(copied) <= 1


def test_sound_ends_with_the_pictures(tmp_path: Path) -> None:
    """As where a source was cut off: its sound may reach further than its pictures."""
    source = make_source(tmp_path / "a.mp4", "aac", seconds=3)
    path = tmp_path / "out.mp4"
    write_video(path, [number / 10 for number in range(15)], audio_from=source)
    assert sound_span_s(path)[1] == pytest.approx(1.5, abs=0.03)


def test_a_source_without_sound_gives_a_silent_video(tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    write_video(silent, [0, 0.1])
    assert write_video(tmp_path / "out.mp4", [0, 0.1], audio_from=silent).audio == "none"


def test_sound_that_steps_back_in_time_is_left_out_and_counted(tmp_path: Path) -> None:
    once = make_source(tmp_path / "once.ts", "aac", seconds=1)
    twice = tmp_path / "twice.ts"
    twice.write_bytes(once.read_bytes() * 2)
    path = tmp_path / "out.mp4"
    with VideoWriter(path, width=64, height=48, rate_hint=10, audio_from=twice) as writer:
        for number in range(20):
            writer.write(picture(), number / 10)
    assert writer.audio == "copied"
    assert writer._audio is not None and writer._audio.packets_lost > 10
    assert sound_span_s(path)[1] == pytest.approx(1.0, abs=0.1)


def test_sound_of_a_file_that_is_cut_off_is_kept_as_far_as_it_goes(tmp_path: Path) -> None:
    source = make_source(tmp_path / "a.mkv", "aac", seconds=3)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    path = tmp_path / "out.mp4"
    write_video(path, [number / 10 for number in range(30)], audio_from=source)
    assert 1 < sound_span_s(path)[1] < 2.9
    assert len(frame_times(path)) == 30


def test_nothing_is_left_after_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with (
        pytest.raises(KeyboardInterrupt),
        VideoWriter(path, width=64, height=48, rate_hint=10) as writer,
    ):
        writer.write(picture(), 0.0)
        assert [entry.match("video.part-*.mp4") for entry in tmp_path.iterdir()] == [True]
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_result_survives_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"earlier")
    with pytest.raises(InputError), VideoWriter(path, width=64, height=48, rate_hint=10) as writer:
        writer.write(picture(), 0.0)
        writer.write(picture(32, 48), 0.1)
    assert path.read_bytes() == b"earlier"


@pytest.mark.parametrize(
    "image", [picture(62, 48), picture(48, 64), picture().astype(np.float32), picture()[..., 0]]
)
def test_a_frame_of_another_kind_is_refused(tmp_path: Path, image: np.ndarray) -> None:
    with (
        pytest.raises(InputError, match=r"must be \(48, 64, 3\) uint8"),
        VideoWriter(tmp_path / "v.mp4", width=64, height=48, rate_hint=10) as writer,
    ):
        writer.write(image, 0.0)


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="no frame"),
        VideoWriter(tmp_path / "v.mp4", width=64, height=48, rate_hint=10),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"height": 20_000},
        {"rate_hint": 0},
        {"rate_hint": float("nan")},
        {"audio_from": "/no/such/file.mp4"},
    ],
)
def test_wrong_settings_are_refused_before_any_frame(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    settings = {"width": 64, "height": 48, "rate_hint": 10, **wrong}
    with pytest.raises(InputError):
        VideoWriter(tmp_path / "v.mp4", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="cannot be made"):
        VideoWriter(tmp_path / "file" / "v.mp4", width=64, height=48, rate_hint=10)
    with pytest.raises(InputError, match="is a folder"):
        VideoWriter(tmp_path, width=64, height=48, rate_hint=10)
    with pytest.raises(InputError, match="not writable"):
        VideoWriter("/proc/self/v.mp4", width=64, height=48, rate_hint=10)


def test_an_encoder_that_does_not_open_is_said_before_any_frame(tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match="encoder does not open"):
        VideoWriter(tmp_path / "v.mp4", width=64, height=48, rate_hint=10, preset="no such")
    assert list(tmp_path.iterdir()) == []


def test_the_times_are_on_the_scale_that_the_docstring_names() -> None:
    assert TICKS_PER_SECOND % 25 == 0
    assert (Fraction(1001, 30_000) * TICKS_PER_SECOND).denominator == 1


def test_without_a_size_the_first_frame_gives_it(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4") as writer:
        assert list(tmp_path.iterdir()) == []
        for index in range(3):
            writer.write(np.zeros((48, 64, 3), np.uint8), index / 10)
    assert [frame.image.shape for frame in read_frames(writer.path)] == [(48, 64, 3)] * 3


def test_without_a_size_no_frame_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frame"), VideoWriter(tmp_path / "v.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []
