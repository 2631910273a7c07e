"""Decode a video forward from a key frame, through PyAV."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from napari_motionmag.io.video_index import VideoIndex, import_av


class Disordered(Exception):
    """Frames are decoded in another order than that of their time stamps."""


class Decoder:
    """One open container that decodes forward."""

    def __init__(self, path: Path, index: VideoIndex):
        self.path = path
        self.index = index
        self.next = self.begun = 0  # numbers of the frames that comes next, and where it began
        self.busy = False  # whether a thread uses it
        self.must_seek = True  # before it decodes on
        self._container = None
        self.frames: Iterator[tuple] = iter(())  # number, frame, and whether it is damaged

    def jump_to(self, start: int) -> None:
        """Note that decoding is to begin at frame `start`; others see where it will be."""
        self.next, self.must_seek = start, True

    def seek(self, start: int, strict: bool = True) -> None:
        """Begin at frame `start`, which is a key frame or the first.

        A strict decoder leaves out frames that are damaged instead of concealing the damage.
        """
        if start == 0 or self._container is None or not strict:
            self._open(strict)
        self.next = self.begun = start
        self.must_seek = False
        if start > 0:
            # what the first packet carries (a palette, the encoder's version) has to be decoded
            # once; a decoder keeps it when it jumps
            stream = self._container.streams[self.index.stream]
            self._container.seek(self.index.stamps[start], stream=stream)
            self.frames = self._numbered(self._decoded())

    def _open(self, strict: bool) -> None:
        self.close()
        self._container = import_av().open(str(self.path))
        stream = self._container.streams[self.index.stream]
        stream.thread_type = "AUTO"
        if strict and self.index.stamped:
            stream.codec_context.options = {"err_detect": "explode"}
        decoded = self._decoded()
        first = next(decoded, None)
        self.frames = self._numbered(decoded if first is None else chain([first], decoded))

    def _decoded(self) -> Iterator:
        """Yield frames from where the container stands."""
        stream = self._container.streams[self.index.stream]
        fresh = True
        for packet in self._container.demux(stream):
            if self.begun and packet.size and self._astray(packet):
                return
            if packet.is_keyframe and packet.pts in self.index.closed and not fresh:
                # empty the decoder, as a jump does: what damage leaves in it goes no further
                yield from self._frames_of(stream.codec_context, None)
                stream.codec_context.flush_buffers()
            fresh = False
            yield from self._frames_of(stream.codec_context, packet)

    def _frames_of(self, context, packet) -> list:
        """Decode a packet, or what is left with None; nothing where it is damaged."""
        try:
            return context.decode(packet)
        except import_av().error.InvalidDataError:
            if not self.index.stamped:  # frames are counted, and one is lost
                raise
            return []

    def _astray(self, packet) -> bool:
        """Whether a packet is another than the one whose time stamp it has: a wrong index."""
        place = self.index.places.get(packet.pts, packet.pos)
        known = packet.pos is not None and packet.pos >= 0 and place is not None and place >= 0
        return known and packet.pos != place

    def _numbered(self, decoded: Iterator) -> Iterator[tuple]:
        """Add the number of each frame, and whether it is damaged, from where decoding began."""
        broken, follows, trusted = False, None, self.begun
        for count, frame in enumerate(decoded):
            number = self.index.numbers.get(frame.pts) if self.index.stamped else count
            # leading frames of an open group of pictures lack what they refer to
            if number is None or (number < self.begun and self.next == self.begun):
                continue
            if number < self.next:
                raise Disordered
            if follows is None and number > self.begun > 0:
                # the key frame is lost, and those that follow may refer to it
                after = bisect_right(self.index.starts, self.begun)
                trusted = self.index.starts[after] if after < len(self.index.starts) else math.inf
            follows = follows or number
            if number < trusted:
                follows = self.next = number + 1
                continue
            # those after a frame that is lost or damaged refer to it, up to the next key frame
            broken = frame.is_corrupt or (not frame.key_frame and (broken or number != follows))
            self.next = follows = number + 1
            yield number, frame, broken

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()
        self._container = None
