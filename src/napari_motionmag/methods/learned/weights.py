"""Weights in safetensors files, with what they are and where they came from in the header.

Checkpoints that others have published of the paper's network are read as they are
(:mod:`~napari_motionmag.methods.learned.published`).
"""

import hashlib
import json
import math
import os
import warnings
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from napari_motionmag.compute.atomic import written_whole
from napari_motionmag.compute.device import load_torch
from napari_motionmag.compute.validate import error_text
from napari_motionmag.methods.learned import published

FOLDER = Path(__file__).parent / "weights"
USER_FOLDER = "NAPARI_MOTIONMAG_WEIGHTS"  # environment variable
DEFAULT = "difference"
SUFFIXES = (".safetensors", ".index", *published.TORCH_SUFFIXES)
MOST_CHANNELS = 1024  # or blocks, of a network
MOST_BYTES = 2**30  # of a file; those that are known have less than 20 MB
_FORMAT = "napari-motionmag"


@dataclass(frozen=True)
class Weights:
    """A weights file that `model` may name.

    Attributes
    ----------
    name : str
        Name to pass as ``model``.
    path : Path
        The file.
    sha256 : str
        Hash of the file's bytes.
    description : str
        Network, training and scores in a line.
    card : dict
        The header: model, config and how it was trained.
    """

    name: str
    path: Path
    sha256: str
    description: str
    card: dict


def build(model: str, config: dict | None = None):
    """Build a network by its name, with random weights.

    Parameters
    ----------
    model : {"difference", "oh2018"}
        Kind of network.
    config : dict, optional
        Fields of its configuration; the defaults without.
    """
    load_torch()
    from napari_motionmag.methods.learned.networks.difference import DifferenceConfig, DifferenceNet
    from napari_motionmag.methods.learned.networks.oh2018 import Oh2018Config, Oh2018Net

    kinds = {"difference": (DifferenceNet, DifferenceConfig), "oh2018": (Oh2018Net, Oh2018Config)}
    if not isinstance(model, str) or model not in kinds:
        raise ValueError(f"model must be one of {sorted(kinds)}, got {model!r}")
    network, configuration = kinds[model]
    _check_config(config)
    try:
        return network(configuration(**(config or {})))
    except (TypeError, ValueError) as error:
        raise ValueError(f"config does not fit the network {model!r}: {error}") from None


def _check_config(config) -> None:
    """Refuse sizes that no network has, before anything of that size is made."""
    if config is not None and not isinstance(config, dict):
        raise ValueError(f"config must be a dict, got {config!r}")
    for name, value in (config or {}).items():
        for number in value if isinstance(value, (list, tuple)) else [value]:
            least = 0 if name.endswith(("_blocks", "local_mean", "chroma_doubt")) else 1
            whole = isinstance(number, int) and not isinstance(number, bool)
            if whole and not least <= number <= MOST_CHANNELS:
                raise ValueError(
                    f"config: {name} must be within {least} to {MOST_CHANNELS}, got {value!r}"
                )
            if isinstance(number, float) and not 0 < number < math.inf:
                raise ValueError(f"config: {name} must be positive and finite, got {value!r}")


def save(path: Path, network, card: dict) -> None:
    """Write a network's weights with its card; the file appears whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    network : torch.nn.Module
        Made by :func:`build`.
    card : dict
        JSON-serialisable; has ``model``. The configuration is added.
    """
    from safetensors.torch import save_file

    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    card = {
        "format": _FORMAT,
        **card,
        "config": network.config.to_dict(),
        "tensors_sha256": _tensors_sha256(tensors),
    }
    with written_whole(Path(path)) as partial:
        save_file(tensors, partial, metadata={"card": json.dumps(card)})
        partial.chmod(0o644)  # safetensors makes files that nobody else can read


def _tensors_sha256(tensors: dict) -> str:
    """Hash names, shapes and bytes: tells a damaged file from a whole one."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def user_folder() -> Path:
    """Return the folder whose weights `model` may name, besides those that ship."""
    return Path(os.environ.get(USER_FOLDER) or Path.home() / ".napari-motionmag" / "weights")


def _named(folder: Path) -> dict[str, Path]:
    """Return the weights in a folder by their names, which end at the first dot."""
    found = sorted(p for p in folder.glob("*") if p.suffix in SUFFIXES and os.path.isfile(p))
    return {path.name.partition(".")[0]: path for path in found}


def resolve(model: str | Path) -> Path:
    """Return the file of a name or path.

    Parameters
    ----------
    model : str or Path
        ``"default"``, ``"oh2018"``, ``"difference"``, the name of a file in `user_folder`, or a
        path: a ``.safetensors`` file or a published checkpoint. A TensorFlow checkpoint is named
        by its prefix or any of its files.

    Raises
    ------
    ValueError
        If there is no such name or file.
    """
    if not isinstance(model, (str, Path)):
        raise TypeError(f"model must be a name or the path of a weights file, got {model!r}")
    if model == "default":
        model = DEFAULT
    shipped = FOLDER / f"{model}.safetensors"
    if model == shipped.stem and os.path.isfile(shipped):  # asked for each frame
        return shipped
    names = {**_named(user_folder()), **_named(FOLDER)}
    if isinstance(model, str) and model in names:
        return names[model]
    path = Path(model)
    if path.suffix == ".safetensors" and os.path.isfile(path):
        return path
    if files := published.files(path):
        return files[0]
    kind = ""
    if os.path.isdir(path):
        kind = ", a folder"
    elif os.path.exists(path):
        is_part = path.suffix.startswith((".data-", ".meta"))
        kind = ", whose .index file is missing" if is_part else ", a file of another kind"
    raise ValueError(
        f"model must be one of {['default', *sorted(names)]} or the path of an existing "
        f".safetensors file or published checkpoint ({', '.join(SUFFIXES[1:])}), "
        f"got {str(model)!r}{kind}"
    )


def _files(path: Path) -> list[Path]:
    """Return the files of weights; ValueError for one that is too large to hold any."""
    found = [path] if path.suffix == ".safetensors" else published.files(path) or [path]
    for file in found:
        if (size := file.stat().st_size) > MOST_BYTES:
            raise ValueError(
                f"model: {str(file)!r} has {size / 2**30:.1f} GiB; weights of these networks have "
                f"less than {MOST_BYTES / 2**30:g}"
            )
    return found


def read_card(path: Path) -> dict:
    """Read the card of a weights file: its header, or what a published checkpoint tells.

    Raises
    ------
    ValueError
        If the file has no weights for this program.
    """
    if path.suffix != ".safetensors":
        return dict(_published(path, sha256(path))[1])
    from safetensors import SafetensorError, safe_open

    _files(path)
    try:
        with safe_open(path, "np") as opened:
            card = json.loads((opened.metadata() or {}).get("card", "null"))
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise ValueError(f"model: cannot read weights from {str(path)!r}: {error}") from None
    needed = {"model", "config", "tensors_sha256"}
    if not isinstance(card, dict) or card.get("format") != _FORMAT or not needed <= card.keys():
        raise ValueError(f"model: {str(path)!r} holds no weights of napari-motionmag")
    return card


def load(model: str | Path = "default"):
    """Load a trained network and its card.

    Parameters
    ----------
    model : str or Path
        See :func:`resolve`.

    Returns
    -------
    network : torch.nn.Module
        On the CPU, in evaluation mode.
    card : dict
        ``model``, ``config`` and how it was trained, or where it came from.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = resolve(model)
    if path.suffix != ".safetensors":
        network, card = _published(path, sha256(path))
        return deepcopy(network), dict(card)
    card = read_card(path)
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"model: weights in {str(path)!r} do not fit: {error}") from None
    others = sorted({str(tensor.dtype) for tensor in tensors.values()} - {"torch.float32"})
    if others:
        raise ValueError(f"model: weights in {str(path)!r} must be float32, got {others}")
    if card["tensors_sha256"] != _tensors_sha256(tensors):
        raise ValueError(f"model: weights in {str(path)!r} are damaged: their hash is wrong")
    return _filled(card, tensors, path), card


def _filled(card: dict, tensors: dict, path: Path):
    """Build the network of a card with its weights."""
    try:
        network = build(card["model"], card["config"])
        network.load_state_dict(tensors)
    except (RuntimeError, ValueError) as error:
        message = " ".join(str(error).split())
        raise ValueError(
            f"model: weights in {str(path)!r} do not fit: "
            f"{message[:200] + ' ...' if len(message) > 200 else message}"
        ) from None
    if others := [k for k, v in network.state_dict().items() if not v.isfinite().all()]:
        raise ValueError(f"model: weights in {str(path)!r} are NaN or infinite: {others[:3]}")
    return network.eval()


@lru_cache(maxsize=4)
def _published(path: Path, digest: str):
    """Return the network and card of a published checkpoint, by its hash."""
    tensors, config, origin = published.read(path)
    card = {
        "format": _FORMAT,
        "model": "oh2018",
        "origin": origin,
        "license": "not ours; see the license of its origin",
        "file": path.name,
        "file_sha256": digest,
        "config": config,
    }
    network = _filled(card, tensors, path)
    card["config"] = network.config.to_dict()
    card["tensors_sha256"] = _tensors_sha256(network.state_dict())
    return network, card


@lru_cache(maxsize=32)
def _sha256(paths: tuple[Path, ...], modified: tuple[int, ...]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; of all files of a checkpoint in turn."""
    paths = _files(Path(path))
    return _sha256(tuple(paths), tuple(file.stat().st_mtime_ns for file in paths))


def available() -> list[Weights]:
    """Return the weights that ship with the package."""
    return [_weights(name, path) for name, path in _named(FOLDER).items()]


def of_the_user() -> list[Weights]:
    """Return the weights in `user_folder`; warn of files that cannot be used."""
    found = []
    for name, path in _named(user_folder()).items():
        try:
            if resolve(name) != path:
                raise ValueError(f"{path}: {name!r} is the name of other weights; rename the file")
            found.append(_weights(name, path))
        except (ValueError, OSError) as error:
            warnings.warn(error_text(error), stacklevel=2)
    return found


def _weights(name: str, path: Path) -> Weights:
    card = read_card(path)
    if "origin" in card:
        license_ = card.get("license", "its license is not known")
        description = f"{card['model']}, {card['origin']}; {license_}"
    else:
        description = (
            f"{card['model']}, {card.get('steps', '?')} steps of {card.get('batch', '?')} crops "
            f"of {card.get('crop', '?')} px on {card.get('hardware', '?')}"
        )
    return Weights(name, path, sha256(path), description, card)
