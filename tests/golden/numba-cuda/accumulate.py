"""Accumulate

    a[t] = g[t] + (0 if mod(t - 1, k) == 0 else a[t-1])
    u = a[t]/k
    skip when mod(t, k) != 0

Written by optdsl VERSION for the target numba-cuda. Do not edit.
"""
# ruff: noqa

import numpy as np

from optdsl.codegen.support.cuda.launching import bind_blocks, launched, timed
from optdsl.codegen.support.cuda.words import (
    THREADS, block_index, float64, get, int32, int64, is_aligned, kernel, load, load_constant,
    load_some, mod, nothing, put, read, read_changing, store, store_some, thread_index, where,
    write,
)
from optdsl.codegen.support.quiet import quiet
from optdsl.cuda import from_layout
from optdsl.runtime import layout


@quiet
def scalars_1(t, hyper, step_state, scalars):
    k = hyper[0]
    t_minus_one_mod_k_is_zero = np.mod(t - 1.0, k) == 0.0
    # skip = mod(t, k) != 0
    skip = np.mod(t, k) != 0.0
    scalars[0] = t_minus_one_mod_k_is_zero
    scalars[1] = k
    scalars[2] = skip


@kernel("step")
def clock_1(real):
    def update(clocks, hyper, step_state, exactly, numbers, everything):
        if thread_index() > 0:
            return
        steps = read_changing(int64, clocks, 0) + 1
        t = float64(steps)
        k = read(float64, hyper, 0)
        t_minus_one_mod_k_is_zero = mod(t - 1.0, k) == 0.0
        # skip = mod(t, k) != 0
        skip = mod(t, k) != 0.0
        write(float64, exactly, 0, where(t_minus_one_mod_k_is_zero, 1.0, 0.0))
        write(real, numbers, 0, where(t_minus_one_mod_k_is_zero, 1.0, 0.0))
        write(float64, exactly, 1, k)
        write(real, numbers, 1, k)
        write(float64, exactly, 2, where(skip, 1.0, 0.0))
        write(real, numbers, 2, where(skip, 1.0, 0.0))
        write(int64, clocks, 0, steps)
    return update


@kernel("pass")
def kernel_1(real, lanes, g_form, a_form, u_form):
    def update(
        owners, chunks, sizes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        size = read(int64, sizes, owner)
        g = read(int64, addresses, 3 * owner)
        a = read(int64, addresses, 3 * owner + 1)
        u = read(int64, addresses, 3 * owner + 2)
        row = read(int64, rows, owner)
        step = 3 * read(int64, cohort, row)
        t_minus_one_mod_k_is_zero = read(float64, exactly, step) != 0.0
        k = read(real, numbers, step + 1)
        begin = (read(int64, chunks, block_index()) * THREADS + thread_index()) * lanes
        count = int32(min(size - begin, lanes))
        if count <= 0:
            return
        whole = (
            (count == lanes)
            & is_aligned(real, g_form, g)
            & is_aligned(real, a_form, a)
            & is_aligned(real, u_form, u)
        )
        if whole:
            g_vector = load_constant(real, g_form, g, begin)
            a_vector = load(real, a_form, a, begin)
        else:
            g_vector = load_some(real, g_form, g, begin, count)
            a_vector = load_some(real, a_form, a, begin, count)
        u_vector = nothing(real)
        for lane in range(lanes):
            g_t = get(g_vector, lane)
            a_prev = get(a_vector, lane)
            # a[t] = g[t] + (0 if mod(t - 1, k) == 0 else a[t-1])
            a_t = g_t + where(t_minus_one_mod_k_is_zero, real(0.0), a_prev)
            # u = a[t]/k
            u_t = a_t / k
            a_vector = put(a_vector, lane, a_t)
            u_vector = put(u_vector, lane, u_t)
        if whole:
            store(a_form, a, begin, a_vector)
            store(u_form, u, begin, u_vector)
        else:
            store_some(a_form, a, begin, count, a_vector)
            store_some(u_form, u, begin, count, u_vector)
    return update


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
        layout.Scalars(0, timed(scalars_1, clock_1)),
        layout.Pass(0, ('g', 'a', 'u'), launched(kernel_1), writes=('a', 'u')),
        layout.Guard(0, 'step', 2),
    ),
    function=(
        layout.Scalars(0, scalars_1),
        layout.Pass(0, ('g', 'a', 'u'), launched(kernel_1), writes=('a', 'u')),
        layout.Guard(0, 'step', 2),
    ),
    bind=bind_blocks,
    buffers=('u',),
    output='u',
    fingerprint='87934d6c1e6abc63',
    target='numba-cuda',
)

Accumulate = from_layout(LAYOUT)
