"""Make a longer video out of a short one, to measure time and memory over length."""

from __future__ import annotations

from pathlib import Path

import av


def repeat_video(source: Path, target: Path, times: int) -> int:
    """Write the frames of `source` repeatedly, without encoding; return the number of frames."""
    frames = end = 0
    with av.open(str(target), "w") as out:
        stream = None
        for _ in range(times):
            with av.open(str(source)) as container:
                video = container.streams.video[0]
                if stream is None:
                    stream = out.add_stream_from_template(video)
                shift = None
                for packet in container.demux(video):
                    if packet.pts is None or packet.dts is None:
                        continue
                    shift = end - packet.dts if shift is None else shift
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    end = max(end, packet.pts + (packet.duration or 1))
                    packet.stream = stream
                    out.mux(packet)
                    frames += 1
    return frames
