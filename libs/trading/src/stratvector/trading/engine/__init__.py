"""The engine: small functions on plain arrays, compiled by numba and callable from Python.

Only + - x /, sqrt, min/max, floor, comparisons and explicit loops: compiled equals interpreted to
the bit.

Read in the order of the flow: `matching` (orders meet a bar), `account` (fills become lots and
cash), `breakers` (drawdown, daily loss), `signals` (weights, with memory of the last good one),
`limits` (one function per limit), `targets` (exposures become whole lots per model), `planning`
(crosses, orders), `room` (the last look at every cap), `step` (all of it, in order), `session` (a
compiled loop of steps), `sweep` (the same loop, one column per parameter set).
"""
