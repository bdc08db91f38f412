"""Compiles for Hopper, without a GPU, every kernel that the operations launch for the article's shapes.

Run as a script in a process of its own: the interpreter's kernels cannot be compiled. It prints one JSON
object a kernel: name, registers, stack (bytes spilt) and shared memory (bytes) of a program.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

from harness.training.fused.gpu.kernels import TritonKernels

HOPPER = GPUTarget("cuda", 90, 32)
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
POINTERS = {
    torch.float32: "*fp32",
    torch.int64: "*i64",
    torch.int16: "*i16",
    torch.int8: "*i8",
    torch.uint8: "*u8",
}
RUNS, BATCH, SIZE, WIDTH, CLASSES = 240, 32, 32, 16, 10


def compile_only(kernel: Any, *tensors: Tensor, grid: object, warmup: bool, **options: Any) -> None:
    """What `kernel[grid](...)` does here: compile, once for each kind; other sizes are no other kind."""
    del grid, warmup
    launching = {name: options.pop(name) for name in ("num_warps", "num_stages", "enable_fp_fusion")}
    pointers = dict(zip(kernel.arg_names, (POINTERS[tensor.dtype] for tensor in tensors), strict=False))
    signature = {name: pointers.get(name, "constexpr") for name in kernel.arg_names}
    kind = {name: value for name, value in options.items() if type(value) is not int or name == "BLOCK_IN"}
    key = (kernel.__module__, kernel.__name__, str(kind))
    if key in done:
        return
    done.add(key)
    places = {name: (place,) for place, name in enumerate(kernel.arg_names)}
    source = ASTSource(
        kernel,
        signature,
        {places[name]: value for name, value in options.items()},
        {places[name]: [["tt.divisibility", 16]] for name in pointers},
    )
    report(kernel, triton.compile(source, target=HOPPER, options=launching))


def report(kernel: Any, compiled: Any) -> None:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        command = [str(TOOLS / "cuobjdump"), "-res-usage", file.name]
        usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    registers, stack = (int(number) for number in re.findall(r"(?:REG|STACK):(\d+)", usage))
    figures = {"registers": registers, "stack": stack, "shared": compiled.metadata.shared}
    print(json.dumps({"module": kernel.__module__, "name": kernel.__name__, **figures}))  # noqa: T201


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta", requires_grad=dtype.is_floating_point)


def convolve(kernels: TritonKernels, *, relu: bool, channels: int) -> None:
    x = empty(RUNS, BATCH, SIZE, SIZE, channels)
    weight = empty(RUNS, WIDTH, channels, 3, 3)
    kernels.conv(x if channels > 1 else x.detach(), weight, empty(RUNS, WIDTH), relu=relu).sum().backward()


def classify(kernels: TritonKernels) -> None:
    half = SIZE // 2
    x, weight = empty(RUNS, BATCH, half, half, WIDTH), empty(RUNS, CLASSES, WIDTH, half, half)
    logits = kernels.head(x, weight, empty(RUNS, CLASSES))
    kernels.cross_entropy(logits, empty(RUNS, BATCH, dtype=torch.int64)).sum().backward()


def launch_all() -> None:
    kernels = TritonKernels()
    index = empty(RUNS, BATCH, dtype=torch.int64)
    kernels.batch(empty(17_000, 1, SIZE, SIZE, dtype=torch.uint8), index, like=empty(1))
    convolve(kernels, relu=True, channels=1)
    convolve(kernels, relu=True, channels=WIDTH)
    convolve(kernels, relu=False, channels=WIDTH)
    convolve(TritonKernels(precision="tf32x3"), relu=True, channels=WIDTH)
    x, weight, bias = empty(RUNS, BATCH, SIZE, SIZE, WIDTH), empty(RUNS, WIDTH), empty(RUNS, WIDTH)
    kernels.batch_norm(x, weight, bias, eps=1e-5, relu=True)[0].sum().backward()
    kernels.group_norm(x, weight, bias, groups=4, eps=1e-5, relu=True).sum().backward()
    whole = {name: empty(RUNS, dtype=torch.int64) for name in ("keys", "thresholds")}
    kernels.dropout(x, position=empty(2, dtype=torch.int64), **whole).sum().backward()
    kernels.max_pool(x).sum().backward()
    classify(kernels)


if __name__ == "__main__":
    done: set[tuple[str, ...]] = set()
    JITFunction.run = compile_only
    launch_all()
