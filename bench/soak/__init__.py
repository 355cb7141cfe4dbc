"""The soak: all kinds of requests for a long time, and whether anything grows. `python -m bench.soak`, `make soak`."""
