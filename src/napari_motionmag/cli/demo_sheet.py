"""A picture of a movie beside its magnification: a frame and a slice over time of each."""

from __future__ import annotations

MARGIN, TEXT = 12, 16  # px in the picture: around its parts, and height of the letters
LARGEST_SIDE = 512  # px: smaller frames are enlarged towards this
NEAREST = 0  # as PIL.Image.Resampling.NEAREST
LINE_COLOR = (255, 190, 0)


def compose(magnification, magnified, info: dict):
    """Draw a frame and a slice over time of a movie and of its magnification, as a PIL image."""
    from napari_motionmag.views import slice_view

    movie, factor = magnification.movie, magnification.factor
    line, t = where_it_moves(movie, magnification.operator, info["displacement"])
    along_y = line[0][1] == line[1][1]
    enlarge = max(1, LARGEST_SIDE // max(movie.frame_shape[:2]))
    seconds = movie.n_frames / movie.fps
    over = f"y over {seconds:.3g} s, left to right"
    if not along_y:
        over = f"x over {seconds:.3g} s, downwards"
    parts = []
    plane = (0,) * len(movie.other_axes)
    for label, source in (("input", movie), (f"motion x{factor:g}", magnified)):
        frame = _picture(source.read(t, plane), info, enlarge)
        _mark(frame, line, enlarge)
        drawn = slice_view(source, line, at=plane or None)
        if along_y:
            drawn = drawn.swapaxes(0, 1)
        parts.append(
            [
                (f"{info['title']}: {label}, frame {t}", frame),
                (f"{label}: {over}", _picture(drawn, info).resize(frame.size, NEAREST)),
            ]
        )
    return _side_by_side(parts)


def where_it_moves(movie, operator, displacement) -> tuple[list[tuple[int, int]], int]:
    """Return a row or column (its ends) across the motion that is seen best, and when it peaks."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    frame = movie.read(0, (0,) * len(movie.other_axes)).astype(np.float32)
    frame = gaussian_filter(frame.mean(axis=2) if frame.ndim == 3 else frame, 1)
    edges = np.abs(np.gradient(frame))
    true = np.stack([displacement(t) for t in range(movie.n_frames)]).astype(np.float32)
    selected = operator.apply(true)
    seen = edges * selected.std(axis=0)
    if not seen.any():
        seen = edges  # nothing moves: show that it stays so
    seen = gaussian_filter(seen, (0, 2, 2))
    axis, y, x = map(int, np.unravel_index(np.argmax(seen), seen.shape))
    t = int(np.argmax(np.abs(selected[:, axis, y, x])))
    height, width = movie.frame_shape[:2]
    return ([(0, x), (height - 1, x)] if axis == 0 else [(y, 0), (y, width - 1)]), t


def _picture(values, info: dict, enlarge: int = 1):
    import numpy as np
    from PIL import Image

    black, white = info["contrast_limits"]
    levels = np.clip((values.astype(np.float64) - black) / (white - black), 0, 1) * 255
    picture = Image.fromarray(np.rint(levels).astype(np.uint8)).convert("RGB")
    size = (picture.width * enlarge, picture.height * enlarge)
    return picture.resize(size, NEAREST)


def _mark(picture, line, enlarge: int) -> None:
    """Draw the line in color, dashed so that what it crosses stays visible."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    (y0, x0), (y1, x1) = ([(v + 0.5) * enlarge for v in point] for point in line)
    length = int(max(y1 - y0, x1 - x0))
    for start in range(0, length, 12):
        stop = min(start + 4, length)
        if x0 == x1:
            draw.line([(x0, start), (x0, stop)], LINE_COLOR)
        else:
            draw.line([(start, y0), (stop, y0)], LINE_COLOR)


def _side_by_side(columns):
    """Put labelled pictures into columns."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(TEXT - 3)
    above = TEXT + 4
    widths = [max(picture.width for _, picture in column) for column in columns]
    heights = [max(picture.height for _, picture in row) for row in zip(*columns, strict=True)]
    size = (
        sum(widths) + MARGIN * (len(widths) + 1),
        sum(heights) + (MARGIN + above) * len(heights) + MARGIN,
    )
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    x = MARGIN
    for column, width in zip(columns, widths, strict=True):
        y = MARGIN
        for (label, picture), height in zip(column, heights, strict=True):
            draw.text((x, y), label, "black", font=font)
            sheet.paste(picture, (x, y + above))
            y += above + height + MARGIN
        x += width + MARGIN
    return sheet
