"""Accumulate

    a[t] = g[t] + (0 if mod(t - 1, k) == 0 else a[t-1])
    u = a[t]/k
    skip when mod(t, k) != 0

Written by optdsl VERSION for the target numba-cpu. Do not edit.
"""
# ruff: noqa

import numpy as np

from optdsl.codegen.support.chunks import bind_chunks, over_chunks
from optdsl.codegen.support.quiet import quiet
from optdsl.codegen.support.words import (
    divide, entrywise, flush_tiny, kernel, next_chunks, restore, row_of, view, where,
)
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


@entrywise
def update_1(g, a, u, numbers):
    real = g.dtype.type
    t_minus_one_mod_k_is_zero = numbers[0] != 0.0
    k = real(numbers[1])
    for i in range(g.size):
        g_t = g[i]
        a_prev = a[i]
        # a[t] = g[t] + (0 if mod(t - 1, k) == 0 else a[t-1])
        a_t = g_t + where(t_minus_one_mod_k_is_zero, real(0.0), a_prev)
        # u = a[t]/k
        u_t = divide(a_t, k)
        a[i] = a_t
        u[i] = u_t


@kernel
def kernel_1(take, formats, addresses, counts, rows, cohort, scalars, tensor, everything, partials):
    before = flush_tiny()
    first, last = next_chunks(take)
    while first < last:
        for chunk in range(first, last):
            row = rows[chunk]
            g = view(addresses[chunk, 0], counts[chunk], formats[0])
            a = view(addresses[chunk, 1], counts[chunk], formats[1])
            u = view(addresses[chunk, 2], counts[chunk], formats[2])
            update_1(g, a, u, row_of(scalars, cohort[row]))
        first, last = next_chunks(take)
    restore(before)


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
        layout.Pass(0, ('g', 'a', 'u'), over_chunks(kernel_1), writes=('a', 'u')),
        layout.Guard(0, 'step', 2),
    ),
    function=(
        layout.Scalars(0, scalars_1),
        layout.Pass(0, ('g', 'a', 'u'), over_chunks(kernel_1), writes=('a', 'u')),
        layout.Guard(0, 'step', 2),
    ),
    bind=bind_chunks,
    buffers=('u',),
    output='u',
    fingerprint='87934d6c1e6abc63',
    target='numba-cpu',
)

Accumulate = from_layout(LAYOUT)
