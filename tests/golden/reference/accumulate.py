"""Accumulate

    a[t] = g[t] + (0 if mod(t - 1, k) == 0 else a[t-1])
    u = a[t]/k
    skip when mod(t, k) != 0

Written by optdsl VERSION for the target reference. Do not edit.
"""
# ruff: noqa

import numpy as np

from optdsl.codegen.support.quiet import quiet
from optdsl.codegen.support.tables import bind_whole
from optdsl.runtime import from_layout, layout


@quiet
def scalars_1(t, hyper, step_state, scalars):
    k = hyper[0]
    t_minus_one_mod_k_is_zero = np.mod(t - 1.0, k) == 0.0
    # skip = mod(t, k) != 0
    skip = np.mod(t, k) != 0.0
    scalars[0] = t_minus_one_mod_k_is_zero
    scalars[1] = k
    scalars[2] = skip


def update_1(g, a, u, numbers):
    t_minus_one_mod_k_is_zero = numbers[0] != 0.0
    k = numbers[1]
    g_t = g.astype(np.float64)
    a_prev = a.astype(np.float64)
    # a[t] = g[t] + (0 if mod(t - 1, k) == 0 else a[t-1])
    a_t = g_t + np.where(t_minus_one_mod_k_is_zero, 0.0, a_prev)
    # u = a[t]/k
    u_t = a_t / k
    a[...] = a_t
    u[...] = u_t


@quiet
def pass_1(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_1(*arrays, scalars[cohort[row]])


@quiet
def start_a(theta, hyper):
    return 0.0


LAYOUT = layout.Layout(
    name='Accumulate',
    family='transform',
    doc='',
    hyperparameters=(
        layout.HyperparameterSlot(
            'k', 'Accumulate', 'k', default=3.0, low=1.0, low_open=False, whole=True,
        ),
    ),
    states=(
        layout.StateSlot('a', 'entry', start_a),
    ),
    scalars=3,
    parts=2,
    ready=(
        layout.Scalars(0, scalars_1),
        layout.Pass(0, ('g', 'a', 'u'), pass_1, writes=('a', 'u')),
        layout.Guard(0, 'step', 2),
    ),
    function=(
        layout.Scalars(0, scalars_1),
        layout.Pass(0, ('g', 'a', 'u'), pass_1, writes=('a', 'u')),
        layout.Guard(0, 'step', 2),
    ),
    bind=bind_whole,
    buffers=('u',),
    output='u',
    fingerprint='87934d6c1e6abc63',
    target='reference',
)

Accumulate = from_layout(LAYOUT)
