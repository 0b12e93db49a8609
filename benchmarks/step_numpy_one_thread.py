"""step_numpy.py on one thread, which is faster for small networks; OpenBLAS reads the number of threads when it is loaded."""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

from step_numpy import numpy_by_hand

__all__ = ["numpy_by_hand"]
