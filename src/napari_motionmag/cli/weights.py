"""``napari-motionmag weights``: list weights, explain them, convert published checkpoints."""

from __future__ import annotations

import json
from pathlib import Path


def add_command(commands, common) -> None:
    """Add the command ``weights``."""
    parser = commands.add_parser(
        "weights", help="list the weights of networks, explain them, or convert a checkpoint"
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listed = actions.add_parser("list", parents=[common], help="those that ship, and your own")
    listed.set_defaults(run=lambda arguments: print(listing()))
    explained = actions.add_parser("info", parents=[common], help="print the card of weights")
    explained.add_argument("model", metavar="MODEL", help="a name of the list, or a file")
    explained.set_defaults(run=_info)
    converted = actions.add_parser(
        "convert",
        parents=[common],
        help="write a published checkpoint as a .safetensors file",
        description="Write a published checkpoint of the network of Oh et al. as a .safetensors "
        "file with a card that says where it came from. It stays under its own license.",
    )
    converted.add_argument(
        "file",
        metavar="FILE",
        help="any file of a TensorFlow checkpoint, or a state dict of PyTorch",
    )
    converted.add_argument("out", metavar="OUT.safetensors", type=Path)
    converted.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    converted.set_defaults(run=_convert)


def listing() -> str:
    """Return all weights that have names: name, description, hash and file."""
    from napari_motionmag.methods.learned import weights

    lines = []
    for title, found in (
        ("With the package", weights.available()),
        (f"In {weights.user_folder()}", weights.of_the_user()),
    ):
        lines += [title, *(line for one in found for line in entry(one)), ""]
        if not found:
            lines.insert(-1, "  none")
    return "\n".join(lines[:-1])


def entry(one) -> list[str]:
    """Return the lines about weights."""
    return [f"  {one.name}: {one.description}", f"    sha256 {one.sha256}", f"    {one.path}"]


def _info(arguments) -> None:
    from napari_motionmag.methods.learned import weights

    path = weights.resolve(arguments.model)
    facts = {"path": str(path), "sha256": weights.sha256(path), **weights.read_card(path)}
    print(json.dumps(facts, indent=2))


def _convert(arguments) -> None:
    from napari_motionmag.compute.atomic import check_target
    from napari_motionmag.methods.learned import weights

    if arguments.out.suffix != ".safetensors":
        raise ValueError(f"the output must end in .safetensors, got {str(arguments.out)!r}")
    check_target(arguments.out, arguments.overwrite)
    network, card = weights.load(arguments.file)
    weights.save(arguments.out, network, card)
    print(f"wrote {arguments.out}: {card['model']}, {card.get('origin', 'trained here')}")
