"""One object file of the functions that Python calls."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numba
from llvmlite import binding
from numba import types
from numba.core.registry import cpu_target

from gpudb.backend.jit.compiled.entry import help_team, run_jobs
from gpudb.backend.jit.compiled.part import OPTIONS
from gpudb.backend.jit.target import PROCESSOR, Processor, target_machine
from gpudb.errors import DeviceError

NEEDED = {"malloc", "free", "sched_yield", "sqrt", "sqrtf"}
"""What the code calls of the system's libraries; without anything else it could not be linked."""


def object_code() -> bytes:
    """Compile for :data:`gpudb.backend.jit.target.PROCESSOR`.

    The functions are there under their names. Each is called as numba calls its own: addresses of a
    result and of an error come before its parameters, which are int64.

    Raises
    ------
    DeviceError
        numba is set to compile for another processor.
    """
    taken = Processor(*cpu_target.target_context.codegen().magic_tuple())
    if taken != PROCESSOR:
        raise DeviceError(
            f"numba compiles for {taken.name} ({taken.features}), gpudb for {PROCESSOR.name} "
            f"({PROCESSOR.features}); name a processor by NUMBA_CPU_NAME and NUMBA_CPU_FEATURES, "
            "which both read, and by no other setting of numba"
        )
    module = _module(run_jobs)
    module.link_in(_module(help_team))
    missing = {f.name for f in module.functions if f.is_declaration and "llvm." not in f.name}
    if not missing <= NEEDED:
        raise AssertionError(f"compiled code calls {sorted(missing - NEEDED)}")
    code: bytes = target_machine(PROCESSOR).emit_object(module)
    return code


def _module(function: Callable[..., Any]) -> binding.ModuleRef:
    """A function in LLVM's language, with all that it calls."""
    dispatcher = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)
    dispatcher.compile(types.void(*[types.int64] * len(signature(function).parameters)))
    (typed,) = dispatcher.signatures
    module = binding.parse_assembly(dispatcher.inspect_llvm(typed))
    module.get_function(dispatcher.overloads[typed].fndesc.llvm_func_name).name = function.__name__
    return module
