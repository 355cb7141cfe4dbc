"""What the machine allows: each part of a request by itself, as cheap as it can be had with the house's own libraries.

`measure` modules start what they need; `bench.ceilings.programs` are the processes that are measured.
"""
