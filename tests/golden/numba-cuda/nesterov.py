"""Nesterov

    g[t] = grad(theta[t-1] - gamma*v[t-1])
    v[t] = gamma*v[t-1] + eta*g[t]
    theta[t] = theta[t-1] - v[t]

Written by optdsl VERSION for the target numba-cuda. Do not edit.
"""
# ruff: noqa

from optdsl.codegen.support.cuda.launching import bind_blocks, launched, timed
from optdsl.codegen.support.cuda.words import (
    THREADS, block_index, float64, get, int32, int64, is_aligned, kernel, load, load_constant,
    load_some, nothing, put, read, read_changing, store, store_some, thread_index, write,
)
from optdsl.codegen.support.quiet import quiet
from optdsl.cuda import from_layout
from optdsl.runtime import layout


@quiet
def scalars_1(t, hyper, step_state, scalars):
    gamma = hyper[1]
    eta = hyper[0]
    gamma_next = hyper[2]
    scalars[0] = gamma
    scalars[1] = eta
    scalars[2] = gamma_next


@kernel("step")
def clock_1(real):
    def update(clocks, hyper, step_state, exactly, numbers, everything):
        if thread_index() > 0:
            return
        steps = read_changing(int64, clocks, 0) + 1
        t = float64(steps)
        gamma = read(float64, hyper, 1)
        eta = read(float64, hyper, 0)
        gamma_next = read(float64, hyper, 2)
        write(float64, exactly, 0, gamma)
        write(real, numbers, 0, gamma)
        write(float64, exactly, 1, eta)
        write(real, numbers, 1, eta)
        write(float64, exactly, 2, gamma_next)
        write(real, numbers, 2, gamma_next)
        write(int64, clocks, 0, steps)
    return update


@kernel("pass")
def kernel_1(real, lanes, theta_form, g_form, v_form):
    def update(
        owners, chunks, sizes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        size = read(int64, sizes, owner)
        theta = read(int64, addresses, 3 * owner)
        g = read(int64, addresses, 3 * owner + 1)
        v = read(int64, addresses, 3 * owner + 2)
        row = read(int64, rows, owner)
        step = 3 * read(int64, cohort, row)
        gamma = read(real, numbers, step)
        eta = read(real, numbers, step + 1)
        gamma_next = read(real, numbers, step + 2)
        begin = (read(int64, chunks, block_index()) * THREADS + thread_index()) * lanes
        count = int32(min(size - begin, lanes))
        if count <= 0:
            return
        whole = (
            (count == lanes)
            & is_aligned(real, theta_form, theta)
            & is_aligned(real, g_form, g)
            & is_aligned(real, v_form, v)
        )
        if whole:
            theta_vector = load(real, theta_form, theta, begin)
            g_vector = load_constant(real, g_form, g, begin)
            v_vector = load(real, v_form, v, begin)
        else:
            theta_vector = load_some(real, theta_form, theta, begin, count)
            g_vector = load_some(real, g_form, g, begin, count)
            v_vector = load_some(real, v_form, v, begin, count)
        for lane in range(lanes):
            theta_prev = get(theta_vector, lane)
            g_t = get(g_vector, lane)
            v_prev = get(v_vector, lane)
            # iterate_before = theta[t-1] + gamma*v[t-1]
            iterate_before = theta_prev + gamma * v_prev
            # v[t] = gamma*v[t-1] + eta*g[t]
            v_t = gamma * v_prev + eta * g_t
            # iterate = iterate_before - v[t]
            iterate_t = iterate_before - v_t
            # theta[t] = iterate - gamma[t+1]*v[t]
            theta_t = iterate_t - gamma_next * v_t
            theta_vector = put(theta_vector, lane, theta_t)
            v_vector = put(v_vector, lane, v_t)
        if whole:
            store(theta_form, theta, begin, theta_vector)
            store(v_form, v, begin, v_vector)
        else:
            store_some(theta_form, theta, begin, count, theta_vector)
            store_some(v_form, v, begin, count, v_vector)
    return update


@quiet
def scalars_2(t, hyper, step_state, scalars):
    gamma = hyper[1]
    eta = hyper[0]
    scalars[0] = gamma
    scalars[1] = eta


@kernel("pass")
def kernel_2(real, lanes, theta_form, v_form, point_g_form):
    def update(
        owners, chunks, sizes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        size = read(int64, sizes, owner)
        theta = read(int64, addresses, 3 * owner)
        v = read(int64, addresses, 3 * owner + 1)
        point_g = read(int64, addresses, 3 * owner + 2)
        row = read(int64, rows, owner)
        step = 3 * read(int64, cohort, row)
        gamma = read(real, numbers, step)
        begin = (read(int64, chunks, block_index()) * THREADS + thread_index()) * lanes
        count = int32(min(size - begin, lanes))
        if count <= 0:
            return
        whole = (
            (count == lanes)
            & is_aligned(real, theta_form, theta)
            & is_aligned(real, v_form, v)
            & is_aligned(real, point_g_form, point_g)
        )
        if whole:
            theta_vector = load_constant(real, theta_form, theta, begin)
            v_vector = load_constant(real, v_form, v, begin)
        else:
            theta_vector = load_some(real, theta_form, theta, begin, count)
            v_vector = load_some(real, v_form, v, begin, count)
        point_g_vector = nothing(real)
        for lane in range(lanes):
            theta_prev = get(theta_vector, lane)
            v_prev = get(v_vector, lane)
            # point_g = theta[t-1] - gamma*v[t-1]
            point_g_t = theta_prev - gamma * v_prev
            point_g_vector = put(point_g_vector, lane, point_g_t)
        if whole:
            store(point_g_form, point_g, begin, point_g_vector)
        else:
            store_some(point_g_form, point_g, begin, count, point_g_vector)
    return update


@kernel("pass")
def kernel_3(real, lanes, theta_form, g_form, v_form):
    def update(
        owners, chunks, sizes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        size = read(int64, sizes, owner)
        theta = read(int64, addresses, 3 * owner)
        g = read(int64, addresses, 3 * owner + 1)
        v = read(int64, addresses, 3 * owner + 2)
        row = read(int64, rows, owner)
        step = 3 * read(int64, cohort, row)
        gamma = read(real, numbers, step)
        eta = read(real, numbers, step + 1)
        begin = (read(int64, chunks, block_index()) * THREADS + thread_index()) * lanes
        count = int32(min(size - begin, lanes))
        if count <= 0:
            return
        whole = (
            (count == lanes)
            & is_aligned(real, theta_form, theta)
            & is_aligned(real, g_form, g)
            & is_aligned(real, v_form, v)
        )
        if whole:
            theta_vector = load(real, theta_form, theta, begin)
            g_vector = load_constant(real, g_form, g, begin)
            v_vector = load(real, v_form, v, begin)
        else:
            theta_vector = load_some(real, theta_form, theta, begin, count)
            g_vector = load_some(real, g_form, g, begin, count)
            v_vector = load_some(real, v_form, v, begin, count)
        for lane in range(lanes):
            theta_prev = get(theta_vector, lane)
            g_t = get(g_vector, lane)
            v_prev = get(v_vector, lane)
            # v[t] = gamma*v[t-1] + eta*g[t]
            v_t = gamma * v_prev + eta * g_t
            # theta[t] = theta[t-1] - v[t]
            theta_t = theta_prev - v_t
            theta_vector = put(theta_vector, lane, theta_t)
            v_vector = put(v_vector, lane, v_t)
        if whole:
            store(theta_form, theta, begin, theta_vector)
            store(v_form, v, begin, v_vector)
        else:
            store_some(theta_form, theta, begin, count, theta_vector)
            store_some(v_form, v, begin, count, v_vector)
    return update


@quiet
def scalars_3(t, hyper, step_state, scalars):
    gamma = hyper[1]
    scalars[0] = gamma


@kernel("pass")
def kernel_4(real, lanes, theta_form, v_form, iterate_form):
    def update(
        owners, chunks, sizes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        size = read(int64, sizes, owner)
        theta = read(int64, addresses, 3 * owner)
        v = read(int64, addresses, 3 * owner + 1)
        iterate = read(int64, addresses, 3 * owner + 2)
        row = read(int64, rows, owner)
        step = 3 * read(int64, cohort, row)
        gamma = read(real, numbers, step)
        begin = (read(int64, chunks, block_index()) * THREADS + thread_index()) * lanes
        count = int32(min(size - begin, lanes))
        if count <= 0:
            return
        whole = (
            (count == lanes)
            & is_aligned(real, theta_form, theta)
            & is_aligned(real, v_form, v)
            & is_aligned(real, iterate_form, iterate)
        )
        if whole:
            theta_vector = load_constant(real, theta_form, theta, begin)
            v_vector = load_constant(real, v_form, v, begin)
        else:
            theta_vector = load_some(real, theta_form, theta, begin, count)
            v_vector = load_some(real, v_form, v, begin, count)
        iterate_vector = nothing(real)
        for lane in range(lanes):
            theta_prev = get(theta_vector, lane)
            v_prev = get(v_vector, lane)
            # iterate = theta[t-1] + gamma*v[t-1]
            iterate_t = theta_prev + gamma * v_prev
            iterate_vector = put(iterate_vector, lane, iterate_t)
        if whole:
            store(iterate_form, iterate, begin, iterate_vector)
        else:
            store_some(iterate_form, iterate, begin, count, iterate_vector)
    return update


@quiet
def start_v(theta, hyper):
    return 0.0


LAYOUT = layout.Layout(
    name='Nesterov',
    family='optimizer',
    doc='',
    hyperparameters=(
        layout.HyperparameterSlot('eta', 'Nesterov', 'eta', default=0.01, low=0.0, low_open=False),
        layout.HyperparameterSlot(
            'gamma', 'Nesterov', 'gamma', default=0.9, low=0.0, low_open=False, high=1.0,
            ahead=True,
        ),
    ),
    states=(
        layout.StateSlot('v', 'entry', start_v),
    ),
    scalars=3,
    parts=1,
    ready=(
        layout.Scalars(0, timed(scalars_1, clock_1)),
        layout.Pass(0, ('theta', 'g', 'v'), launched(kernel_1), writes=('theta', 'v')),
    ),
    function=(
        layout.Scalars(0, scalars_2),
        layout.Pass(0, ('theta', 'v', 'point_g'), launched(kernel_2), writes=('point_g',)),
        layout.Ask('g', 'point_g'),
        layout.Pass(0, ('theta', 'g', 'v'), launched(kernel_3), writes=('theta', 'v')),
    ),
    iterate=(
        layout.Scalars(0, scalars_3),
        layout.Pass(0, ('theta', 'v', 'iterate'), launched(kernel_4), writes=('iterate',)),
    ),
    bind=bind_blocks,
    buffers=('point_g', 'iterate'),
    fingerprint='141355da739b9037',
    target='numba-cuda',
)

Nesterov = from_layout(LAYOUT)
