"""The bare Argon2id loop on all cores, with one hasher. Runs by itself under any interpreter that has the hasher.

`python hashing.py HASHER MEMORY_KIB ITERATIONS SECONDS [FOLDER]` prints `{"items", "seconds", "cpu_seconds"}`. HASHER
is `argon2-cffi` or `pynacl`; FOLDER comes first on the path, for a build of one's own.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_PASSWORD = "a long bench 42"  # noqa: S105 of nobody


def _argon2_cffi(memory_kib: int, iterations: int) -> Callable[[], object]:
    from argon2 import PasswordHasher  # noqa: PLC0415 after the path is set

    hasher = PasswordHasher(time_cost=iterations, memory_cost=memory_kib, parallelism=1)
    encoded = hasher.hash(_PASSWORD)
    return lambda: hasher.verify(encoded, _PASSWORD)


def _pynacl(memory_kib: int, iterations: int) -> Callable[[], object]:
    from nacl.pwhash import argon2id  # noqa: PLC0415 not everywhere there

    encoded = argon2id.str(_PASSWORD.encode(), opslimit=iterations, memlimit=memory_kib * 1024)
    return lambda: argon2id.verify(encoded, _PASSWORD.encode())


def main() -> None:
    """Hash and print."""
    name, memory_kib, iterations, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    sys.path[:0] = sys.argv[5:6]
    work = {"argon2-cffi": _argon2_cffi, "pynacl": _pynacl}[name](memory_kib, iterations)
    began, cpu = time.perf_counter(), time.process_time()

    def loop(_thread: int) -> int:
        done = 0
        while time.perf_counter() - began < seconds:
            work()
            done += 1
        return done

    threads = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads) as pool:
        items = sum(pool.map(loop, range(threads)))
    spent = {"items": items, "seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps(spent))


if __name__ == "__main__":
    main()
