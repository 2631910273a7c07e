"""Weights in safetensors files, with what they are and where they came from in the header."""

import hashlib
import json
import math
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from napari_motionmag.compute.device import load_torch

FOLDER = Path(__file__).parent / "weights"
DEFAULT = "difference"
MOST_CHANNELS = 1024  # or blocks, of a network
_FORMAT = "napari-motionmag"


@dataclass(frozen=True)
class Weights:
    """A weights file that ships with the package.

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
    """A network by its name, with random weights.

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
            least = 0 if name.endswith(("_blocks", "local_mean")) else 1
            whole = isinstance(number, int) and not isinstance(number, bool)
            if whole and not least <= number <= MOST_CHANNELS:
                raise ValueError(
                    f"config: {name} must be within {least} to {MOST_CHANNELS}, got {value!r}"
                )
            if isinstance(number, float) and not 0 < number < math.inf:
                raise ValueError(f"config: {name} must be positive and finite, got {value!r}")


def save(path: Path, network, card: dict) -> None:
    """Write a network's weights with its card; beside first, then renamed.

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

    path = Path(path)
    beside = path.with_suffix(".part")
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    card = {
        "format": _FORMAT,
        **card,
        "config": network.config.to_dict(),
        "tensors_sha256": _tensors_sha256(tensors),
    }
    save_file(tensors, beside, metadata={"card": json.dumps(card)})
    beside.chmod(0o644)  # safetensors makes files that nobody else can read
    beside.replace(path)


def _tensors_sha256(tensors: dict) -> str:
    """Hash of names, shapes and bytes: tells a damaged file from a whole one."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def resolve(model: str | Path) -> Path:
    """The file of a name (``"default"``, ``"oh2018"``, ``"difference"``) or path.

    Raises
    ------
    ValueError
        If there is no such name or file.
    """
    if not isinstance(model, (str, Path)):
        raise TypeError(f"model must be a name or the path of a .safetensors file, got {model!r}")
    if model == "default":
        model = DEFAULT
    shipped = FOLDER / f"{model}.safetensors"
    if isinstance(model, str) and "/" not in model and os.path.isfile(shipped):
        return shipped
    path = Path(model)
    if path.suffix == ".safetensors" and os.path.isfile(path):
        return path
    names = ["default", *sorted(p.stem for p in FOLDER.glob("*.safetensors"))]
    raise ValueError(
        f"model must be one of {names} or the path of an existing .safetensors file, "
        f"got {str(model)!r}"
    )


def read_card(path: Path) -> dict:
    """The card in a weights file's header.

    Raises
    ------
    ValueError
        If the file is not a weights file of this program.
    """
    from safetensors import SafetensorError, safe_open

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
    """A trained network and its card.

    Parameters
    ----------
    model : str or Path
        A shipped name or the path of a ``.safetensors`` file.

    Returns
    -------
    network : torch.nn.Module
        On the CPU, in evaluation mode.
    card : dict
        ``model``, ``config`` and how it was trained.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = resolve(model)
    card = read_card(path)
    try:
        tensors = load_file(path)
        others = sorted({str(tensor.dtype) for tensor in tensors.values()} - {"torch.float32"})
        if others:
            raise ValueError(f"model: weights in {str(path)!r} must be float32, got {others}")
        if card["tensors_sha256"] != _tensors_sha256(tensors):
            raise ValueError(f"model: weights in {str(path)!r} are damaged: their hash is wrong")
        try:
            network = build(card["model"], card["config"])
        except ValueError as error:
            raise ValueError(f"model: weights in {str(path)!r} do not fit: {error}") from None
        network.load_state_dict(tensors)
    except (SafetensorError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"model: weights in {str(path)!r} do not fit: {text}") from None
    return network.eval(), card


@lru_cache(maxsize=32)
def _sha256(path: Path, modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    return _sha256(Path(path), Path(path).stat().st_mtime_ns)


def available() -> list[Weights]:
    """The weights that ship with the package."""
    found = []
    for path in sorted(FOLDER.glob("*.safetensors")):
        card = read_card(path)
        description = (
            f"{card['model']}, {card.get('steps', '?')} steps of {card.get('batch', '?')} crops "
            f"of {card.get('crop', '?')} px on {card.get('hardware', '?')}"
        )
        found.append(Weights(path.stem, path, sha256(path), description, card))
    return found
