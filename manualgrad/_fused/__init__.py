"""Formulas compiled once, kept on disk and called directly.

In eager mode a formula of k operators passes over memory k times and dispatches k times. Inside `fused()`, the funnels of
`functions/` call `run` instead, which compiles the formula once for each combination of dtypes, and then calls the kernel:

- `compiler.py` traces the formula with symbolic sizes and has Inductor compile it. The result is a Python function that
  allocates the outputs, and the shared libraries of the kernels that it calls.
- `store.py` keeps both on disk, for other processes. Loading them takes a millisecond, and imports neither Inductor nor SymPy.
- `kernels.py` finds the kernel for a call.
- `context.py` is `fused()` itself, and `switch.py` what is on.
"""

from manualgrad._fused.context import fused
from manualgrad._fused.kernels import Kernel, find, run
from manualgrad._fused.switch import fusing, is_fusing, is_on, is_tracing

__all__ = ["Kernel", "find", "fused", "fusing", "is_fusing", "is_on", "is_tracing", "run"]
