"""Cooling

    c[t] = 0.5*c[t-1] if mod(t, 2) == 0 else c[t-1]
    eta = eta_0*c[t] + c[t-1]/t^2

Written by optdsl VERSION for the target numba-cuda. Do not edit.
"""
# ruff: noqa

import numpy as np

from optdsl.codegen.support.cuda.launching import timed
from optdsl.codegen.support.cuda.words import (
    float64, int64, kernel, mod, read, read_changing, square, thread_index, where, write,
)
from optdsl.codegen.support.quiet import quiet
from optdsl.cuda import from_layout
from optdsl.runtime import layout


@quiet
def scalars_1(t, hyper, step_state, scalars):
    c_prev = step_state[0]
    eta_0 = hyper[0]
    # c[t] = 0.5*c[t-1] if mod(t, 2) == 0 else c[t-1]
    c = 0.5 * c_prev if np.mod(t, 2.0) == 0.0 else c_prev
    # eta = eta_0*c[t] + c[t-1]/t^2
    eta = eta_0 * c + c_prev / np.square(t)
    scalars[0] = eta
    step_state[0] = c


@kernel("step")
def clock_1(real):
    def update(clocks, hyper, step_state, exactly, numbers, everything):
        if thread_index() > 0:
            return
        steps = read_changing(int64, clocks, 0) + 1
        t = float64(steps)
        c_prev = read_changing(float64, step_state, 0)
        eta_0 = read(float64, hyper, 0)
        # c[t] = 0.5*c[t-1] if mod(t, 2) == 0 else c[t-1]
        c = where(mod(t, 2.0) == 0.0, 0.5 * c_prev, c_prev)
        # eta = eta_0*c[t] + c[t-1]/t^2
        eta = eta_0 * c + c_prev / square(t)
        write(float64, exactly, 0, eta)
        write(real, numbers, 0, eta)
        write(float64, step_state, 0, c)
        write(int64, clocks, 0, steps)
    return update


@quiet
def start_c(theta, hyper):
    return 1.0


LAYOUT = layout.Layout(
    name='Cooling',
    family='schedule',
    doc='',
    hyperparameters=(
        layout.HyperparameterSlot('eta_0', 'Cooling', 'eta_0', default=0.1, low=0.0),
    ),
    states=(
        layout.StateSlot('c', 'step', start_c),
    ),
    scalars=1,
    parts=1,
    ready=(
        layout.Scalars(0, timed(scalars_1, clock_1)),
    ),
    function=(
        layout.Scalars(0, timed(scalars_1, clock_1)),
    ),
    result=0,
    fingerprint='82455859d2ddaf6b',
    target='numba-cuda',
)

Cooling = from_layout(LAYOUT)
