"""Write small ND2 files, of version 2.1, whose metadata are XML; Nikon gives no writer away."""

import struct

import numpy as np

_MAGIC = 0x0ABECEDA


def _chunk(name: bytes, data: bytes, name_size: int = 32) -> bytes:
    return struct.pack("<IIQ", _MAGIC, name_size, len(data)) + name.ljust(name_size, b"\0") + data


def _xml(name, value) -> str:
    if isinstance(value, dict):
        inner = "".join(_xml(key, item) for key, item in value.items())
        return f'<{name} runtype="CLxListVariant">{inner}</{name}>'
    kind = {bool: "bool", int: "lx_uint32", float: "double", str: "CLxStringW"}[type(value)]
    return f'<{name} runtype="{kind}" value="{str(value).lower()}"/>'


def _variant(content: dict) -> bytes:
    return f'<variant version="1.0">{_xml("no_name", content)}</variant>'.encode()


def _time_loop(count, period):
    timing = {"dStart": 0.0, "dPeriod": period, "dDuration": period * count}
    return {"eType": 1, "uLoopPars": {"uiCount": count, "dAvgPeriodDiff": period, **timing}}


def _z_loop(count, step):
    stack = {"dZLow": 0.0, "dZHigh": step * (count - 1), "dZStep": step, "dZHome": 0.0}
    return {"eType": 4, "uLoopPars": {"uiCount": count, **stack}}


def write_nd2(path, frames, *, period=40.0, step=0.5, pixel=0.1, times=None, written=None):
    """Write frames of shape (T, Z, C, Y, X).

    `period` is in ms, `step` and `pixel` in um, `times` in ms of each frame and plane; of an
    acquisition that was stopped, only the first `written` are there.
    """
    count, slices, channels, rows, columns = frames.shape
    total = count * slices if written is None else written
    attributes = {
        "uiWidth": columns,
        "uiWidthBytes": columns * channels * frames.itemsize,
        "uiHeight": rows,
        "uiComp": channels,
        "uiBpcInMemory": 8 * frames.itemsize,
        "uiBpcSignificant": 8 * frames.itemsize,
        "uiSequenceCount": total,
        "eCompression": 2,
    }
    probe = {"m_uiColor": 255}
    planes = {
        f"a{c}": {"sDescription": f"c{c}", "uiCompCount": 1, "pFluorescentProbe": probe}
        for c in range(channels)
    }
    metadata = {
        "bCalibrated": True,
        "dCalibration": pixel,
        "sPicturePlanes": {"uiCount": channels, "uiCompCount": channels, "sPlaneNew": planes},
    }
    loop = _time_loop(count, period)
    if slices > 1:
        loop["ppNextLevelEx"] = {"a0": _z_loop(slices, step)}
    chunks = {
        b"ImageAttributes!": _variant(attributes),
        b"ImageMetadataSeq|0!": _variant(metadata),
        b"ImageMetadata!": _variant(loop),
    }
    if times is not None:
        chunks[b"CustomData|AcqTimesCache!"] = np.asarray(times, "<f8").tobytes()
    data = np.moveaxis(frames, 2, -1).reshape(count * slices, rows, columns, channels)
    places = {}
    with open(path, "wb") as file:
        file.write(_chunk(b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver2.1".ljust(64, b"\0")))
        for name, content in chunks.items():
            places[name] = file.tell(), len(content)
            file.write(_chunk(name, content))
        for number in range(total):
            name = f"ImageDataSeq|{number}!".encode()
            content = struct.pack("<d", number) + data[number].tobytes()
            places[name] = file.tell(), len(content)
            file.write(_chunk(name, content, name_size=4096 - 8 - 16))
        end = file.tell()
        table = b"".join(name + struct.pack("<QQ", *place) for name, place in places.items())
        signature = b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", end)
        file.write(_chunk(b"ND2 FILEMAP SIGNATURE NAME 0001!", table + signature))
