"""The pictures that scenes are cut from: photographs, micrographs, cut-outs, procedural ones."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_motionmag.compute.atomic import written_whole
from napari_motionmag.compute.validate import error_text, warn_user
from napari_motionmag.training import procedural

PICTURE_SIZE = 416
CUTOUT_SIZE = 112
_NONE = np.empty((0, 4, CUTOUT_SIZE, CUTOUT_SIZE), np.uint8)
_EXTENSIONS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


class PicturePool:
    """Pictures and cut-outs of one size each, ready to be sampled in batches.

    `images` is a sequence of pictures, uint8 (Y, X, 3), or a folder, searched recursively:
    pictures with alpha in a subfolder ``foregrounds`` become cut-outs, label images in
    subfolders called ``masks...`` give object shapes; `cache` is the ``.npz`` file that keeps
    it decoded, for faster starts. `procedural_count` pictures and masks are generated, of which
    :meth:`refresh` replaces one at a time; `refreshes` such calls have already happened where a
    training is resumed.

    Attributes: `pictures`, uint8 (K, 3, 416, 416); `cutouts`, uint8 (M, 4, 112, 112), RGB and
    alpha; `has_color`, bool (M,), False for cut-outs that are shapes only.
    """

    def __init__(self, images=None, *, procedural_count=256, seed=0, refreshes=0, cache=None):
        self._seed, self._procedural_count = seed, procedural_count
        drawn, masks = [None] * procedural_count, [None] * procedural_count
        for j in range(refreshes, refreshes + procedural_count):
            drawn[j % procedural_count], masks[j % procedural_count] = self._make(j)
        pictures, cutouts = np.stack(drawn), np.stack(masks)
        color = np.zeros(len(cutouts), bool)
        if images is not None:
            loaded, cut, shapes = _load_cached(images, cache)
            pictures = np.concatenate([pictures, loaded])
            cutouts = np.concatenate([cutouts, shapes, cut])
            color = np.concatenate([color, np.zeros(len(shapes), bool), np.ones(len(cut), bool)])
        self._refreshes = refreshes
        self.pictures = torch.from_numpy(pictures)
        self.cutouts = torch.from_numpy(cutouts)
        self.has_color = torch.from_numpy(color)

    def _make(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the procedural picture and mask of a number, a function of the seed alone."""
        rng = np.random.default_rng((self._seed, number))
        picture = _quantized(procedural.picture(rng, PICTURE_SIZE))
        return picture, _shape_only(procedural.mask(rng, CUTOUT_SIZE))

    def refresh(self) -> None:
        """Replace the oldest procedural picture and mask by new ones."""
        picture, mask = self._make(self._refreshes + self._procedural_count)
        k = self._refreshes % self._procedural_count
        self.pictures[k] = torch.from_numpy(picture).to(self.pictures.device)
        self.cutouts[k] = torch.from_numpy(mask).to(self.cutouts.device)
        self._refreshes += 1

    def to(self, device) -> "PicturePool":
        """Move the pictures to a device."""
        self.pictures = self.pictures.to(device)
        self.cutouts = self.cutouts.to(device)
        self.has_color = self.has_color.to(device)
        return self

    def sample_pictures(self, count: int, generator: torch.Generator, crop: int = PICTURE_SIZE):
        """Draw pictures, uint8 (count, 3, crop, crop); a third of them are procedural."""
        index = self._draw(count, len(self.pictures), generator)
        y, x = torch.randint(PICTURE_SIZE - min(crop, PICTURE_SIZE) + 1, (2,), generator=generator)
        return self.pictures[:, :, y : y + crop, x : x + crop][index]

    def sample_cutouts(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw cut-outs, uint8 (count, 4, s, s), and whether each has a picture of its own."""
        index = self._draw(count, len(self.cutouts), generator)
        return self.cutouts[index], self.has_color[index]

    def _draw(self, count: int, total: int, generator: torch.Generator) -> Tensor:
        generated = self._procedural_count
        index = torch.randint(generated, (count,), generator=generator)
        if total > generated:
            loaded = torch.randint(generated, total, (count,), generator=generator)
            index = torch.where(torch.rand(count, generator=generator) < 1 / 3, index, loaded)
        return index.to(self.pictures.device)


def _quantized(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255).astype(np.uint8)


def _shape_only(mask: np.ndarray) -> np.ndarray:
    out = np.full((4, *mask.shape), 128, np.uint8)
    out[3] = _quantized(mask)
    return out


def _load_cached(images, cache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    in_folder = isinstance(images, str | Path)
    if in_folder and not Path(images).is_dir():
        raise ValueError(f"images must be a folder of pictures, got {str(images)!r}")
    source = None if cache is None else _digest(Path(images) if in_folder else images)
    if cache is not None and Path(cache).exists():
        with np.load(cache) as stored:
            if stored.get("source") == source:  # else it is of other pictures
                return stored["pictures"], stored["cutouts"], stored["shapes"]
    parts = _load_folder(Path(images)) if in_folder else _load_pictures(images)
    if cache is not None:
        with written_whole(Path(cache)) as partial, partial.open("wb") as file:
            np.savez(file, pictures=parts[0], cutouts=parts[1], shapes=parts[2], source=source)
    return parts


def _files(folder: Path) -> list[Path]:
    """Return the pictures of a folder and those below it, in order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in _EXTENSIONS)


def _digest(images: Path | Sequence[np.ndarray]) -> str:
    """Return a digest of pictures: of arrays by pixels, of a folder by names and sizes of files."""
    digest = hashlib.sha256()
    if isinstance(images, Path):
        for path in _files(images):
            digest.update(f"{path.relative_to(images)}:{path.stat().st_size};".encode())
    else:
        for picture in images:
            digest.update(f"{np.shape(picture)};".encode())
            digest.update(np.ascontiguousarray(picture).data)
    return digest.hexdigest()


def _load_folder(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from PIL import Image

    rng = np.random.default_rng(1)
    pictures, cutouts, shapes = [], [], []
    for path in _files(folder):
        parents = path.relative_to(folder).parts[:-1]
        try:
            with Image.open(path) as image:
                if any(part.startswith("masks") for part in parents):
                    shapes.extend(_label_shapes(np.asarray(image), rng))
                elif "foregrounds" in parents:
                    cutouts.append(_fit_cutout(image.convert("RGBA")))
                else:
                    pictures.extend(_square_crops(_to_rgb(image), rng))
        except Exception as error:  # damaged files raise errors of any kind
            warn_user(f"images: {path} is left out, it cannot be read: {error_text(error)}")
    if not pictures:
        raise ValueError(f"images: no pictures found in {str(folder)!r}")
    return np.stack(pictures), np.array(cutouts or _NONE), np.array(shapes or _NONE)


def _to_rgb(image):
    """Convert to 8 bits and three colors; gray levels of more bits are stretched."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # Pillow would clip them at 255
        levels = np.asarray(image, np.float64)
        if not np.isfinite(levels).all():
            raise ValueError("it has pixels that are NaN or infinite")
        low, high = np.percentile(levels, (0.1, 99.9))
        unit = (levels - low) / max(high - low, 1e-30)
        image = Image.fromarray(_quantized(np.clip(unit, 0, 1)))
    return image.convert("RGB")


def _load_pictures(pictures) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from PIL import Image

    rng = np.random.default_rng(1)
    squares = [crop for one in pictures for crop in _square_crops(Image.fromarray(one), rng)]
    return np.stack(squares), _NONE, _NONE


def _square_crops(image, rng) -> list[np.ndarray]:
    """Cut one square, two from large pictures; small ones are mirrored out to the size."""
    size = PICTURE_SIZE
    if min(image.size) > 2 * size:  # keep pixels sharp, but not a tiny part of a huge picture
        scale = 2 * size / min(image.size)
        image = image.resize([round(n * scale) for n in image.size])
    pixels = np.asarray(image)
    pad = [(0, max(0, size - n)) for n in pixels.shape[:2]] + [(0, 0)]
    pixels = np.pad(pixels, pad, mode="symmetric")
    crops = []
    for _ in range(2 if min(pixels.shape[:2]) > 1.4 * size else 1):
        y, x = (int(rng.integers(n - size + 1)) for n in pixels.shape[:2])
        crops.append(np.ascontiguousarray(pixels[y : y + size, x : x + size].transpose(2, 0, 1)))
    return crops


def _fit_cutout(image) -> np.ndarray:
    """Scale a cut-out into the canvas with a clear margin."""
    size, inner = CUTOUT_SIZE, CUTOUT_SIZE - 16
    image.thumbnail((inner, inner))
    canvas = np.zeros((size, size, 4), np.uint8)
    y, x = (size - image.height) // 2, (size - image.width) // 2
    canvas[y : y + image.height, x : x + image.width] = np.asarray(image)
    return canvas.transpose(2, 0, 1)


def _label_shapes(labels: np.ndarray, rng, limit: int = 4) -> list[np.ndarray]:
    from scipy import ndimage

    found = [
        (k, box)
        for k, box in enumerate(ndimage.find_objects(labels.astype(np.int64)), 1)
        if box is not None and min(s.stop - s.start for s in box) >= 12
    ]
    out = []
    for index in rng.permutation(len(found))[:limit]:
        k, box = found[index]
        shape = (labels[box] == k).astype(np.float32)
        zoomed = ndimage.zoom(shape, (CUTOUT_SIZE - 24) / max(shape.shape), order=1)
        margin = [CUTOUT_SIZE - n for n in zoomed.shape]
        padded = np.pad(zoomed, [(m // 2, m - m // 2) for m in margin])
        out.append(_shape_only(np.clip(ndimage.gaussian_filter(padded, 1), 0, 1)))
    return out
