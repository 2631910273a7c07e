"""Write small CZI files with the writer of pylibCZIrw."""

import struct

import numpy as np
from pylibCZIrw import czi


def write_czi(path, frames, axes="TZC", *, without=(), interval=None, stamps=None, scale=0.1):
    """Write frames of axes `axes` and Y, X or Y, X, 3 (BGR); `without` lists what is left out.

    `interval` is in seconds, `stamps` are the seconds of each frame, `scale` is in um.
    """
    with czi.create_czi(str(path)) as file:
        for place in np.ndindex(frames.shape[: len(axes)]):
            if place not in without:
                plane = frames[place] if frames.ndim - len(axes) == 3 else frames[place][..., None]
                file.write(plane, plane=dict(zip(axes, place, strict=True)))
        file.write_metadata("movie", scale_x=scale * 1e-6, scale_y=scale * 1e-6, scale_z=1e-6)
    if interval is not None:
        with czi.edit_czi(str(path)) as file, file.edit_session() as builder:
            times = f"<Interval><Increment>{interval}</Increment></Interval>"
            times = f"<Dimensions><T><Positions>{times}</Positions></T>"
            builder.set_xml(file.read_metadata_xml().replace("<Dimensions>", times))
            builder.commit()
    if stamps is not None:
        attach_stamps(path, stamps)


def attach_stamps(path, stamps):
    """Append an attachment with time stamps, as microscopes write it, and list it."""

    def segment(kind, data):
        return struct.pack("<16sqq", kind, len(data), len(data)) + data

    content = bytearray(path.read_bytes())
    name = struct.pack("<2s10x", b"A1")
    kind = struct.pack("<i16s8s80s", 0, b"", b"CZTIMS", b"TimeStamps")
    data = struct.pack(f"<ii{len(stamps)}d", 8 + 8 * len(stamps), len(stamps), *stamps)
    at = len(content)
    entry = name + struct.pack("<q", at) + kind
    content += segment(b"ZISRAWATTACH", struct.pack("<i12x128s112x", len(data), entry) + data)
    folder = len(content)
    content += segment(b"ZISRAWATTDIR", struct.pack("<i252x", 1) + entry)
    struct.pack_into("<q", content, 32 + 72, folder)
    path.write_bytes(content)
