"""Guarded

    g[t] = grad(theta[t-1] - gamma*v[t-1])
    u = g[t]
    v[t] = gamma*v[t-1] + eta*u
    theta[t] = theta[t-1] - v[t]
    skip when any(not finite(g[t]), all)

Written by optdsl VERSION for the target numba-cpu. Do not edit.
"""
# ruff: noqa

from optdsl.codegen.support.chunks import bind_chunks, over_chunks
from optdsl.codegen.support.folding import over_all
from optdsl.codegen.support.quiet import quiet
from optdsl.codegen.support.words import (
    entrywise, flush_tiny, isfinite, kernel, logical_not, next_chunks, restore, row_of, view,
)
from optdsl.runtime import from_layout, layout


@entrywise
def update_1(g, partials):
    skip = False
    for i in range(g.size):
        g_t = g[i]
        # skip = any(not finite(g[t]), all)
        skip = skip | logical_not(isfinite(g_t))
    partials[0] = skip


@kernel
def kernel_1(take, formats, addresses, counts, rows, cohort, scalars, tensor, everything, partials):
    before = flush_tiny()
    first, last = next_chunks(take)
    while first < last:
        for chunk in range(first, last):
            g = view(addresses[chunk, 0], counts[chunk], formats[0])
            update_1(g, row_of(partials, chunk))
        first, last = next_chunks(take)
    restore(before)


@quiet
def combine_1(table, cohort, scalars, tensor, everything, partials):
    # skip = any(not finite(g[t]), all)
    skip = over_all("any", table, partials[:, 0])
    everything[0] = skip


@quiet
def scalars_1(t, hyper, step_state, scalars):
    gamma = hyper[1]
    eta = hyper[0]
    gamma_next = hyper[2]
    scalars[0] = gamma
    scalars[1] = eta
    scalars[2] = gamma_next


@entrywise
def update_2(theta, g, v, numbers):
    real = theta.dtype.type
    gamma = real(numbers[0])
    eta = real(numbers[1])
    gamma_next = real(numbers[2])
    for i in range(theta.size):
        theta_prev = theta[i]
        g_t = g[i]
        v_prev = v[i]
        # u = g[t]
        u = g_t
        # iterate_before = theta[t-1] + gamma*v[t-1]
        iterate_before = theta_prev + gamma * v_prev
        # v[t] = gamma*v[t-1] + eta*u
        v_t = gamma * v_prev + eta * u
        # iterate = iterate_before - v[t]
        iterate_t = iterate_before - v_t
        # theta[t] = iterate - gamma[t+1]*v[t]
        theta_t = iterate_t - gamma_next * v_t
        theta[i] = theta_t
        v[i] = v_t


@kernel
def kernel_2(take, formats, addresses, counts, rows, cohort, scalars, tensor, everything, partials):
    before = flush_tiny()
    first, last = next_chunks(take)
    while first < last:
        for chunk in range(first, last):
            row = rows[chunk]
            theta = view(addresses[chunk, 0], counts[chunk], formats[0])
            g = view(addresses[chunk, 1], counts[chunk], formats[1])
            v = view(addresses[chunk, 2], counts[chunk], formats[2])
            update_2(theta, g, v, row_of(scalars, cohort[row]))
        first, last = next_chunks(take)
    restore(before)


@quiet
def scalars_2(t, hyper, step_state, scalars):
    gamma = hyper[1]
    scalars[0] = gamma


@entrywise
def update_3(theta, v, point_g, numbers):
    real = theta.dtype.type
    gamma = real(numbers[0])
    for i in range(theta.size):
        theta_prev = theta[i]
        v_prev = v[i]
        # point_g = theta[t-1] - gamma*v[t-1]
        point_g_t = theta_prev - gamma * v_prev
        point_g[i] = point_g_t


@kernel
def kernel_3(take, formats, addresses, counts, rows, cohort, scalars, tensor, everything, partials):
    before = flush_tiny()
    first, last = next_chunks(take)
    while first < last:
        for chunk in range(first, last):
            row = rows[chunk]
            theta = view(addresses[chunk, 0], counts[chunk], formats[0])
            v = view(addresses[chunk, 1], counts[chunk], formats[1])
            point_g = view(addresses[chunk, 2], counts[chunk], formats[2])
            update_3(theta, v, point_g, row_of(scalars, cohort[row]))
        first, last = next_chunks(take)
    restore(before)


@quiet
def scalars_3(t, hyper, step_state, scalars):
    gamma = hyper[1]
    eta = hyper[0]
    scalars[0] = gamma
    scalars[1] = eta


@entrywise
def update_4(theta, g, v, numbers):
    real = theta.dtype.type
    gamma = real(numbers[0])
    eta = real(numbers[1])
    for i in range(theta.size):
        theta_prev = theta[i]
        g_t = g[i]
        v_prev = v[i]
        # u = g[t]
        u = g_t
        # v[t] = gamma*v[t-1] + eta*u
        v_t = gamma * v_prev + eta * u
        # theta[t] = theta[t-1] - v[t]
        theta_t = theta_prev - v_t
        theta[i] = theta_t
        v[i] = v_t


@kernel
def kernel_4(take, formats, addresses, counts, rows, cohort, scalars, tensor, everything, partials):
    before = flush_tiny()
    first, last = next_chunks(take)
    while first < last:
        for chunk in range(first, last):
            row = rows[chunk]
            theta = view(addresses[chunk, 0], counts[chunk], formats[0])
            g = view(addresses[chunk, 1], counts[chunk], formats[1])
            v = view(addresses[chunk, 2], counts[chunk], formats[2])
            update_4(theta, g, v, row_of(scalars, cohort[row]))
        first, last = next_chunks(take)
    restore(before)


@entrywise
def update_5(theta, v, iterate, numbers):
    real = theta.dtype.type
    gamma = real(numbers[0])
    for i in range(theta.size):
        theta_prev = theta[i]
        v_prev = v[i]
        # iterate = theta[t-1] + gamma*v[t-1]
        iterate_t = theta_prev + gamma * v_prev
        iterate[i] = iterate_t


@kernel
def kernel_5(take, formats, addresses, counts, rows, cohort, scalars, tensor, everything, partials):
    before = flush_tiny()
    first, last = next_chunks(take)
    while first < last:
        for chunk in range(first, last):
            row = rows[chunk]
            theta = view(addresses[chunk, 0], counts[chunk], formats[0])
            v = view(addresses[chunk, 1], counts[chunk], formats[1])
            iterate = view(addresses[chunk, 2], counts[chunk], formats[2])
            update_5(theta, v, iterate, row_of(scalars, cohort[row]))
        first, last = next_chunks(take)
    restore(before)


@quiet
def start_v(theta, hyper):
    return 0.0


LAYOUT = layout.Layout(
    name='Guarded',
    family='optimizer',
    doc='',
    hyperparameters=(
        layout.HyperparameterSlot(
            'eta', 'Nesterov', 'eta', default=0.01, low=0.0, low_open=False, part=1,
        ),
        layout.HyperparameterSlot(
            'gamma', 'Nesterov', 'gamma', default=0.9, low=0.0, low_open=False, high=1.0, part=1,
            ahead=True,
        ),
    ),
    states=(
        layout.StateSlot('v', 'entry', start_v, part=1),
    ),
    scalars=3,
    everything=1,
    parts=2,
    ready=(
        layout.Pass(0, ('g',), over_chunks(kernel_1), reductions=1),
        layout.Combine(0, combine_1),
        layout.Guard(0, 'all', 0),
        layout.Scalars(1, scalars_1),
        layout.Pass(1, ('theta', 'g', 'v'), over_chunks(kernel_2), writes=('theta', 'v')),
    ),
    function=(
        layout.Scalars(0, scalars_2),
        layout.Pass(0, ('theta', 'v', 'point_g'), over_chunks(kernel_3), writes=('point_g',)),
        layout.Ask('g', 'point_g'),
        layout.Pass(0, ('g',), over_chunks(kernel_1), reductions=1),
        layout.Combine(0, combine_1),
        layout.Guard(0, 'all', 0),
        layout.Scalars(1, scalars_3),
        layout.Pass(1, ('theta', 'g', 'v'), over_chunks(kernel_4), writes=('theta', 'v')),
    ),
    iterate=(
        layout.Scalars(1, scalars_2),
        layout.Pass(1, ('theta', 'v', 'iterate'), over_chunks(kernel_5), writes=('iterate',)),
    ),
    bind=bind_chunks,
    buffers=('point_g', 'iterate'),
    fingerprint='6912f8c0d61ce7e9',
    target='numba-cpu',
)

Guarded = from_layout(LAYOUT)
