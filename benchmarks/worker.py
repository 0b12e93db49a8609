"""A contestant's process: creates a call and times it on request from measure.Contestant.

It imports only the standard library, so any interpreter can run it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time


def main(module: str, function: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # redirect the output of libraries to stderr

    def answer(name: str, value: object) -> None:
        print(json.dumps({name: value}), file=answers, flush=True)

    call = None
    try:
        make = getattr(importlib.import_module(module), function)
        for line in sys.stdin:
            request = json.loads(line)
            if "make" in request:
                call = None  # free the memory of the previous call
                call = make(*request["make"])
                answer("value", [float(call()) for _ in range(request["calls"])])
            else:
                for _ in range(request["warm"]):
                    call()
                start = time.perf_counter()
                for _ in range(request["run"]):
                    value = call()
                float(value)  # waits for the GPU if the value is on one
                answer("value", (time.perf_counter() - start) / request["run"])
    except Exception as error:
        answer("error", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
