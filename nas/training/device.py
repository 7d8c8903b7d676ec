"""On what a training runs: device, precision, and who computes the layers."""

from typing import Literal

import torch

from nas.errors import InputError

Precision = Literal["float32", "bfloat16"]
Kernels = Literal["torch", "numba"]  # who computes batch norm, ReLU and pooling in training


def resolve_precision(precision: str, device: str) -> Precision:
    """`auto` is bfloat16 where the hardware computes it, else float32."""
    match precision:
        case "float32" | "bfloat16":
            return precision
        case "auto":
            native = torch.cuda.is_bf16_supported() if device.startswith("cuda") else _cpu_has_bfloat16()
            return "bfloat16" if native else "float32"
    raise InputError(f"precision must be auto, float32 or bfloat16, but got {precision!r}")


def best_kernels(device: str, n_threads: int) -> Kernels:
    """numba's on a CPU, where one thread does all the work; torch's layers use several."""
    return "numba" if device == "cpu" and n_threads == 1 else "torch"


def multiplies_bfloat16() -> bool:
    """Whether this CPU has the vector instructions that `nas.network.convolution` is made of."""
    return _cpu_has("_is_avx512_bf16_supported")


def resolve_device(device: str) -> str:
    """`auto` is cuda where there is one, else cpu."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda"):
        raise InputError(f"device must be auto, cpu, cuda or cuda:N, but got {device!r}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device {device!r} needs a CUDA torch and a GPU, and none is there: use --device cpu")
    return device


def _cpu_has_bfloat16() -> bool:
    """Instructions for bfloat16 products; torch would emulate them otherwise, slower than float32."""
    return multiplies_bfloat16() or _cpu_has("_is_amx_tile_supported")


def _cpu_has(check: str) -> bool:
    return bool(getattr(torch.cpu, check, lambda: False)())
