"""Copy the audio of a source into an MP4, packet by packet as the frames advance.

Packets of a codec that MP4 does not support are encoded as AAC. Of several tracks the first is
kept. A part of a source is cut between packets (1024 samples each in AAC).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import av.container
from av.audio.stream import AudioStream
from av.stream import Stream

from drive.core.errors import InputError
from drive.video.container import open_container

AudioPacket: TypeAlias = "av.packet.Packet[AudioStream]"
Unit: TypeAlias = "tuple[float, AudioPacket | av.AudioFrame]"  # with its time in the output

COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})  # others: to AAC
AAC_BIT_RATE = 128_000
AAC_RATES_HZ = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)


class AudioTrack:
    """The audio of one source on its way into one output whose header is not written yet."""

    def __init__(
        self, source: av.container.InputContainer, output: av.container.OutputContainer
    ) -> None:
        self._source = source
        self._output = output
        self._in: AudioStream = source.streams.audio[0]
        self.copied = self._in.codec_context.name in COPIED_CODECS
        self._out = output.add_stream_from_template(self._in) if self.copied else self._aac_stream()
        self.packets_lost = 0  # because they are damaged or step back in time
        self._last_dts: int | None = None
        self._pending: Iterator[Unit] | None = None
        self._ahead: Unit | None = None

    def begin(self, origin_s: float, start_s: float, end_s: float | None) -> None:
        """Set the part to copy, in seconds after the first frame; `origin_s` is 0 in the output."""
        video = next(iter(self._source.streams.video), None)
        first_s = float((video.start_time or 0) * _time_base(video)) if video else 0.0
        first_unit_s = first_s + max(start_s, origin_s)
        if start_s > 0:
            self._source.seek(int(first_unit_s * av.time_base))
        end_s = math.inf if end_s is None else first_s + end_s
        self._pending = self._units(first_s + origin_s, first_unit_s, end_s)

    def write_until(self, time_s: float) -> None:
        """Write audio that starts up to `time_s` seconds of the output."""
        if self._pending is None:
            return
        while (ahead := self._ahead or next(self._pending, None)) is not None:
            start_s, unit = ahead
            self._ahead = ahead if start_s > time_s else None
            if self._ahead is not None:
                return
            self._mux([unit] if isinstance(unit, av.packet.Packet) else self._out.encode(unit))

    def finish(self, end_s: float) -> None:
        """Write the rest up to the end of the frames, and flush the encoder."""
        self.write_until(end_s)
        if not self.copied and self._pending is not None:
            self._mux(self._out.encode(None))

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _aac_stream(self) -> AudioStream:
        rate_hz = self._in.codec_context.sample_rate
        rate_hz = rate_hz if rate_hz in AAC_RATES_HZ else AAC_RATES_HZ[0]
        channels = min(self._in.codec_context.layout.nb_channels, 2)
        stream = self._output.add_stream("aac", rate=rate_hz)
        stream.codec_context.layout = "mono" if channels == 1 else "stereo"
        stream.codec_context.bit_rate = AAC_BIT_RATE
        return stream

    def _units(self, origin_s: float, start_s: float, end_s: float) -> Iterator[Unit]:
        """Yield the packets (if copied) or frames of the part, with their output times."""
        time_base = _time_base(self._in)
        shift = round(Fraction(origin_s) / time_base)
        for packet in self._packets():
            for unit in [packet] if self.copied else self._decoded(packet):
                if unit.pts is None or unit.pts * time_base < start_s:
                    continue
                if unit.pts * time_base >= end_s:
                    return
                unit.pts -= shift
                if isinstance(unit, av.packet.Packet):
                    unit.dts, unit.stream = unit.pts, self._out
                yield float(unit.pts * time_base), unit

    def _packets(self) -> Iterator[AudioPacket]:
        try:
            for packet in self._source.demux(self._in):
                if self.copied and packet.is_corrupt:
                    self.packets_lost += 1
                elif not (self.copied and packet.size == 0):
                    yield packet
        except av.error.FFmpegError as error:
            self.packets_lost += not isinstance(error, av.error.EOFError)

    def _decoded(self, packet: AudioPacket) -> list[av.AudioFrame]:
        try:
            return list(packet.decode())
        except av.error.FFmpegError:
            self.packets_lost += 1
            return []

    def _mux(self, packets: list[AudioPacket]) -> None:
        for packet in packets:
            if packet.dts is None or (self._last_dts is not None and packet.dts <= self._last_dts):
                self.packets_lost += 1
                continue
            self._last_dts = packet.dts
            self._output.mux(packet)


def _time_base(stream: Stream) -> Fraction:
    if stream.time_base is None:
        raise InputError(f"{stream.container.name} has an audio stream without a time base")
    return stream.time_base


def open_audio(path: Path, output: av.container.OutputContainer) -> AudioTrack | None:
    """Return the audio of `path`, set up for `output`; None if it has none."""
    source = open_container(str(path))
    if not source.streams.audio:
        source.close()
        return None
    try:
        return AudioTrack(source, output)
    except BaseException:
        source.close()
        raise
