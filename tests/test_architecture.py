"""Which room of the package may import which: the arrows of the house, read from the source."""

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import napari_motionmag

SOURCE = Path(napari_motionmag.__file__).parent
NAME = SOURCE.name

# room -> rooms that it may import; names in lower rooms come first
ARROWS = {
    "compute": set(),
    "temporal": set(),
    "samples": set(),
    "movie": {"compute"},
    "io": {"compute", "movie"},
    "methods": {"compute", "movie", "temporal"},
    "magnification": {"compute", "movie", "temporal", "methods"},
    "views": {"compute", "movie", "temporal", "methods", "magnification"},
    "export": {"compute", "movie", "io", "temporal", "methods", "magnification", "views"},
    "training": {"compute", "temporal", "samples", "methods", "magnification"},
    "evaluation": {
        "compute",
        "temporal",
        "samples",
        "methods",
        "magnification",
        "movie",
        "training",
        "views",
    },
    "widgets": {
        "compute",
        "temporal",
        "samples",
        "movie",
        "io",
        "methods",
        "magnification",
        "views",
        "export",
    },
}
ARROWS["cli"] = set(ARROWS)
# allowed inside functions only, so that importing the room stays cheap
LAZY_ARROWS = {"magnification": {"io", "samples"}}
# part of a room -> parts that it must not import
FORBIDDEN = {
    "methods.learned": {"methods.stabilisation", "methods.classical"},
    "methods.classical": {"methods.stabilisation", "methods.learned"},
    "methods.learned.kernels": {"methods.learned.networks"},
    "views.estimators": {"views.figures"},
    "widgets.common": {
        "widgets.compare", "widgets.magnify", "widgets.measure", "widgets.networks",
        "widgets.slices",
    },
    "widgets.frames": {"widgets.magnify", "widgets.compare", "widgets.measure"},
}  # fmt: skip


@cache
def modules() -> dict[str, Path]:
    """Every module by its dotted name without the package's own, which is the empty string."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _target(name: str) -> str | None:
    """The module that a dotted name lies in; None outside the package."""
    if name != NAME and not name.startswith(f"{NAME}."):
        return None
    name = name[len(NAME) + 1 :]
    while name not in modules():
        name = name.rpartition(".")[0]
    return name


def _absolute(node: ast.ImportFrom, module: str, path: Path) -> str:
    if not node.level:
        return node.module or ""
    parts = [NAME, *(module.split(".") if module else [])]
    keep = len(parts) - node.level + (path.name == "__init__.py")
    return ".".join([*parts[:keep], *([node.module] if node.module else [])])


def _only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


@cache
def imports() -> tuple[tuple[str, str, bool], ...]:
    """(importing module, imported module, whether inside a function) of the whole package."""
    found = []

    def visit(node, module, path, lazy):
        if _only_for_types(node):
            return
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, path)
            names = [f"{base}.{alias.name}" for alias in node.names]
        found.extend(
            (module, target, lazy) for name in names if (target := _target(name)) is not None
        )
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, module, path, lazy)

    for module, path in modules().items():
        visit(ast.parse(path.read_text()), module, path, False)
    return tuple(sorted(set(found)))


def _room(module: str) -> str:
    return module.partition(".")[0]


def test_the_source_is_read():
    assert len(modules()) > 150
    assert ("magnification.magnification", "movie.movie", False) in imports()


def test_every_room_has_its_arrows():
    assert {_room(module) for module in modules()} - {""} == set(ARROWS)


def test_the_guide_names_every_room():
    guide = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    assert [room for room in ARROWS if f"`{room}/`" not in guide] == []


@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_only_what_it_may(room):
    wrong = [
        f"{module} -> {target}"
        for module, target, lazy in imports()
        if _room(module) == room
        and _room(target) not in {room, *ARROWS[room]}
        and not (lazy and _room(target) in LAZY_ARROWS.get(room, ()))
    ]
    assert not wrong


@pytest.mark.parametrize("part", FORBIDDEN)
def test_parts_of_a_room_do_not_reach_back(part):
    def within(module, place):
        return module == place or module.startswith(f"{place}.")

    wrong = [
        f"{module} -> {target}"
        for module, target, _ in imports()
        if within(module, part) and any(within(target, place) for place in FORBIDDEN[part])
    ]
    assert not wrong


def test_no_circle_of_imports():
    graph = {module: set() for module in modules()}
    for module, target, _ in imports():
        if target != module and not module.startswith(f"{target}."):
            graph[module].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"circle of imports: {' <- '.join(error.args[1])}")


def test_nobody_imports_the_package_itself():
    assert not [module for module, target, _ in imports() if target == "" and module]


def test_widgets_know_only_public_names_of_each_other():
    """Private names are those of an object itself, or of napari and dask, which have no other."""
    foreign = {"_qt_window", "_animation_thread", "_stop", "_meta"}
    wrong = []
    for module, path in modules().items():
        nodes = ast.walk(ast.parse(path.read_text())) if module.startswith("widgets.") else ()
        for node in nodes:
            if isinstance(node, ast.Attribute) and re.match("_[a-z]", node.attr):
                own = ast.unparse(node.value) in ("self", "cls", "super()")
                if not own and node.attr not in foreign:
                    wrong.append(f"{module}: {ast.unparse(node)}")
    assert not wrong


def test_rooms_are_small():
    at_the_root = [path for path in SOURCE.iterdir() if not path.name.startswith("__pycache__")]
    assert len(at_the_root) <= 16
    folders = {path.parent for path in modules().values()}
    crowded = {
        str(folder.relative_to(SOURCE)): count
        for folder in folders
        if (count := len(list(folder.glob("*.py")))) > 21
    }
    assert not crowded
