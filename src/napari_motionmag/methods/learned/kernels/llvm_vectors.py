"""Vector registers inside numba kernels, as LLVM instructions.

Loops are left to numba; what a loop does to one register of numbers is written here, so that it
stays in registers. Addresses are integers, in bytes.
"""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import llvmlite.binding
from llvmlite import ir
from numba import config, njit, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

from napari_motionmag.methods.learned import derivative_filters

I64 = ir.IntType(64)
_I32 = ir.IntType(32)
_F32 = ir.FloatType()
Address = types.int64


def _registers() -> tuple[int, int]:
    """Return how many float32 a vector register holds, and the number of registers."""
    requested = config.CPU_FEATURES  # of NUMBA_CPU_FEATURES
    features = get_host_cpu_features() if requested is None else requested
    has = {name[1:] for name in features.split(",") if name.startswith("+")}
    if "avx512f" in has:
        return 16, 32
    if {"avx2", "fma"} <= has:
        return 8, 16
    if llvmlite.binding.get_default_triple().startswith(("aarch64", "arm64")):
        return 4, 32
    raise ImportError("the kernels need AVX2 with FMA, AVX-512 or 64-bit ARM")


def _version() -> str:
    """Hash all sources of the kernels: numba notices changes of their own files only."""
    digest = hashlib.sha256()
    for path in (*sorted(Path(__file__).parent.glob("*.py")), Path(derivative_filters.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_folder() -> str:
    """Return where compiled kernels of this version are kept."""
    base = Path(config.CACHE_DIR or Path(__file__).parent / "__pycache__")
    return str(base / f"kernels-{_version()}")


def kernel(signature: str | None = None, **options) -> Callable:
    """Compile a kernel that runs without Python's lock; cache it where a folder is writable."""

    def compiled(function):
        before, config.CACHE_DIR = config.CACHE_DIR, _FOLDER
        try:
            return njit(signature, nogil=True, cache=CAN_CACHE, **options)(function)
        finally:
            config.CACHE_DIR = before

    return compiled


def _can_cache() -> bool:
    """Whether numba finds a folder for its cache: not in every container."""
    try:
        njit(cache=True)(lambda: None)
    except RuntimeError:
        return False
    return True


_FOLDER = _cache_folder()
CAN_CACHE = _can_cache()
LANES, REGISTERS = _registers()
BYTES = 4 * LANES  # of a register
_VECTOR = ir.VectorType(_F32, LANES)
FOUR = ir.VectorType(_F32, 4)  # of any processor
_LN2_HIGH = 0.693359375


def constant(value: float) -> ir.Constant:
    """Return a register that holds `value` in all its lanes."""
    return ir.Constant(_VECTOR, [float(value)] * LANES)


def load(builder, address, offset: int = 0, kind=_VECTOR):
    """Load the register, or another vector, at an address."""
    if offset:
        address = builder.add(address, I64(offset))
    loaded = builder.load(builder.inttoptr(address, kind.as_pointer()))
    loaded.align = 4
    return loaded


def store(builder, value, address, offset: int = 0) -> None:
    """Write a register, or another vector, to an address."""
    if offset:
        address = builder.add(address, I64(offset))
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 4


def spread(builder, number, kind=_VECTOR):
    """Return a register, or another vector, with `number` in all its lanes."""
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, number, _I32(0))
    return builder.shuffle_vector(first, undefined, lanes([0] * kind.count))


def lanes(numbers: list[int]) -> ir.Constant:
    """Return the mask of a shuffle that takes these lanes."""
    return ir.Constant(ir.VectorType(_I32, len(numbers)), numbers)


def at(builder, address, *steps):
    """Advance an address by count times bytes for each of `steps`."""
    for number, distance in steps:
        address = builder.add(address, builder.mul(distance, I64(number)))
    return address


def load_spread(builder, address):
    """Load the number at an address into all lanes of a register."""
    return spread(builder, load(builder, address, kind=_F32))


def multiply_add(builder, a, b, c):
    """Return ``a b + c``, rounded once."""
    return _llvm(builder, "fma", a, b, c)


def _rounded(builder, x):
    return _llvm(builder, "rint", x)


def _llvm(builder, name, *vectors):
    name = f"llvm.{name}.v{LANES}f32"
    known = builder.module.globals.get(name)
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(vectors))
    return builder.call(known or ir.Function(builder.module, kind, name), vectors)


def largest(builder, a, b):
    """Return the larger one, lane by lane; `a` where either is NaN."""
    return builder.select(builder.fcmp_unordered(">", a, b), a, b)


def rectified(builder, x, slope):
    """Return `x`, times `slope` where it is not above zero."""
    above = builder.fcmp_ordered(">", x, constant(0))
    return builder.select(above, x, builder.fmul(x, slope))


def exponential(builder, x):
    """Return e to the power of numbers of at most 0, to the last bits."""
    x = largest(builder, x, constant(-87))
    power = _rounded(builder, builder.fmul(x, constant(1 / math.log(2))))
    # ln 2 in two parts: the product with the first is exact
    rest = multiply_add(builder, power, constant(-_LN2_HIGH), x)
    rest = multiply_add(builder, power, constant(_LN2_HIGH - math.log(2)), rest)
    value = constant(1 / math.factorial(7))
    for order in range(6, -1, -1):
        value = multiply_add(builder, value, rest, constant(1 / math.factorial(order)))
    whole = ir.VectorType(_I32, LANES)
    exponent = builder.add(builder.fptosi(power, whole), ir.Constant(whole, [127] * LANES))
    scale = builder.bitcast(builder.shl(exponent, ir.Constant(whole, [23] * LANES)), _VECTOR)
    return builder.fmul(value, scale)


@intrinsic
def clear(typing, to):
    """Write zeros to the register at an address."""

    def generate(context, builder, signature, arguments):
        store(builder, constant(0), arguments[0])
        return context.get_dummy_value()

    return types.void(Address), generate


@intrinsic
def copy(typing, source, to):
    """Copy a register from an address to another."""

    def generate(context, builder, signature, arguments):
        store(builder, load(builder, arguments[0]), arguments[1])
        return context.get_dummy_value()

    return types.void(Address, Address), generate
