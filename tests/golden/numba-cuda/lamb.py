"""Lamb

    m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
    u = m[t]/(sqrt(v[t]) + 1e-6) + lambda*theta[t-1]
    ratio = norm(theta[t-1])/norm(u) if norm(theta[t-1]) > 0 and norm(u) > 0 else 1
    theta[t] = theta[t-1] - eta*ratio*u

Written by optdsl VERSION for the target numba-cuda. Do not edit.
"""
# ruff: noqa

from optdsl.codegen.support.cuda.launching import bind_blocks, finished, launched, timed
from optdsl.codegen.support.cuda.words import (
    THREADS, TURNS, block_index, float64, get, int32, int64, is_aligned, kernel, load,
    load_constant, load_some, put, read, read_changing, sqrt, square, store, store_some,
    sum_of_block, thread_index, where, write,
)
from optdsl.codegen.support.quiet import quiet
from optdsl.cuda import from_layout
from optdsl.runtime import layout


@quiet
def scalars_1(t, hyper, step_state, scalars):
    beta1 = hyper[1]
    beta2 = hyper[2]
    lambda_ = hyper[3]
    eta = hyper[0]
    one_minus_beta1 = 1.0 - beta1
    one_minus_beta2 = 1.0 - beta2
    scalars[0] = beta1
    scalars[1] = one_minus_beta1
    scalars[2] = beta2
    scalars[3] = one_minus_beta2
    scalars[4] = lambda_
    scalars[5] = eta


@kernel("step")
def clock_1(real):
    def update(clocks, hyper, step_state, exactly, numbers, everything):
        if thread_index() > 0:
            return
        steps = read_changing(int64, clocks, 0) + 1
        t = float64(steps)
        beta1 = read(float64, hyper, 1)
        beta2 = read(float64, hyper, 2)
        lambda_ = read(float64, hyper, 3)
        eta = read(float64, hyper, 0)
        one_minus_beta1 = 1.0 - beta1
        one_minus_beta2 = 1.0 - beta2
        write(float64, exactly, 0, beta1)
        write(real, numbers, 0, beta1)
        write(float64, exactly, 1, one_minus_beta1)
        write(real, numbers, 1, one_minus_beta1)
        write(float64, exactly, 2, beta2)
        write(real, numbers, 2, beta2)
        write(float64, exactly, 3, one_minus_beta2)
        write(real, numbers, 3, one_minus_beta2)
        write(float64, exactly, 4, lambda_)
        write(real, numbers, 4, lambda_)
        write(float64, exactly, 5, eta)
        write(real, numbers, 5, eta)
        write(int64, clocks, 0, steps)
    return update


@kernel("reduction")
def kernel_1(real, lanes, theta_form, g_form, m_form, v_form):
    def update(
        owners, chunks, sizes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        size = read(int64, sizes, owner)
        theta = read(int64, addresses, 4 * owner)
        g = read(int64, addresses, 4 * owner + 1)
        m = read(int64, addresses, 4 * owner + 2)
        v = read(int64, addresses, 4 * owner + 3)
        row = read(int64, rows, owner)
        step = 6 * read(int64, cohort, row)
        beta1 = read(real, numbers, step)
        one_minus_beta1 = read(real, numbers, step + 1)
        beta2 = read(real, numbers, step + 2)
        one_minus_beta2 = read(real, numbers, step + 3)
        lambda_ = read(real, numbers, step + 4)
        total_norm_last_theta = 0.0
        total_norm_u = 0.0
        for turn in range(TURNS):
            begin = (
                (read(int64, chunks, block_index()) * TURNS + turn) * THREADS + thread_index()
            ) * lanes
            count = int32(min(size - begin, lanes))
            if count > 0:
                whole = (
                    (count == lanes)
                    & is_aligned(real, theta_form, theta)
                    & is_aligned(real, g_form, g)
                    & is_aligned(real, m_form, m)
                    & is_aligned(real, v_form, v)
                )
                if whole:
                    theta_vector = load_constant(real, theta_form, theta, begin)
                    g_vector = load_constant(real, g_form, g, begin)
                    m_vector = load(real, m_form, m, begin)
                    v_vector = load(real, v_form, v, begin)
                else:
                    theta_vector = load_some(real, theta_form, theta, begin, count)
                    g_vector = load_some(real, g_form, g, begin, count)
                    m_vector = load_some(real, m_form, m, begin, count)
                    v_vector = load_some(real, v_form, v, begin, count)
                for lane in range(lanes):
                    theta_prev = get(theta_vector, lane)
                    g_t = get(g_vector, lane)
                    m_prev = get(m_vector, lane)
                    v_prev = get(v_vector, lane)
                    # m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
                    m_t = beta1 * m_prev + one_minus_beta1 * g_t
                    # v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
                    v_t = beta2 * v_prev + one_minus_beta2 * square(g_t)
                    # u = m[t]/(sqrt(v[t]) + 1e-6) + lambda*theta[t-1]
                    u = m_t / (sqrt(v_t) + real(1e-06)) + lambda_ * theta_prev
                    if lane < count:
                        # norm_last_theta = norm(theta[t-1])
                        total_norm_last_theta = total_norm_last_theta + square(float64(theta_prev))
                        # norm_u = norm(u)
                        total_norm_u = total_norm_u + square(float64(u))
                    m_vector = put(m_vector, lane, m_t)
                    v_vector = put(v_vector, lane, v_t)
                if whole:
                    store(m_form, m, begin, m_vector)
                    store(v_form, v, begin, v_vector)
                else:
                    store_some(m_form, m, begin, count, m_vector)
                    store_some(v_form, v, begin, count, v_vector)
        total_norm_last_theta = sum_of_block(0, total_norm_last_theta)
        total_norm_u = sum_of_block(1, total_norm_u)
        if thread_index() == 0:
            write(float64, partials, 2 * block_index(), total_norm_last_theta)
            write(float64, partials, 2 * block_index() + 1, total_norm_u)
    return update


@kernel("tensor")
def finish_1(firsts, sizes, tensors, entries, rows, cohort, exactly, tensor, everything, partials):
    owner = block_index()
    row = read(int64, rows, owner)
    step = 6 * read(int64, cohort, row)
    own = 4 * row
    first, last = read(int64, firsts, owner), read(int64, firsts, owner + 1)
    total_norm_last_theta = 0.0
    for place in range(first + thread_index(), last, THREADS):
        total_norm_last_theta = total_norm_last_theta + read(float64, partials, 2 * place)
    total_norm_last_theta = sum_of_block(0, total_norm_last_theta)
    total_norm_u = 0.0
    for place in range(first + thread_index(), last, THREADS):
        total_norm_u = total_norm_u + read(float64, partials, 2 * place + 1)
    total_norm_u = sum_of_block(1, total_norm_u)
    if thread_index() > 0:
        return
    eta = read(float64, exactly, step + 5)
    # norm_last_theta = norm(theta[t-1])
    norm_last_theta = sqrt(total_norm_last_theta)
    write(float64, tensor, own, norm_last_theta)
    # norm_u = norm(u)
    norm_u = sqrt(total_norm_u)
    write(float64, tensor, own + 1, norm_u)
    # ratio = norm(theta[t-1])/norm(u) if norm(theta[t-1]) > 0 and norm(u) > 0 else 1
    ratio = where((norm_last_theta > 0.0) & (norm_u > 0.0), norm_last_theta / norm_u, 1.0)
    write(float64, tensor, own + 2, ratio)
    eta_times_ratio = eta * ratio
    write(float64, tensor, own + 3, eta_times_ratio)


@kernel("pass")
def kernel_2(real, lanes, theta_form, m_form, v_form):
    def update(
        owners, chunks, sizes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        size = read(int64, sizes, owner)
        theta = read(int64, addresses, 3 * owner)
        m = read(int64, addresses, 3 * owner + 1)
        v = read(int64, addresses, 3 * owner + 2)
        row = read(int64, rows, owner)
        step = 6 * read(int64, cohort, row)
        own = 4 * row
        lambda_ = read(real, numbers, step + 4)
        eta_times_ratio = real(read(float64, tensor, own + 3))
        begin = (read(int64, chunks, block_index()) * THREADS + thread_index()) * lanes
        count = int32(min(size - begin, lanes))
        if count <= 0:
            return
        whole = (
            (count == lanes)
            & is_aligned(real, theta_form, theta)
            & is_aligned(real, m_form, m)
            & is_aligned(real, v_form, v)
        )
        if whole:
            theta_vector = load(real, theta_form, theta, begin)
            m_vector = load_constant(real, m_form, m, begin)
            v_vector = load_constant(real, v_form, v, begin)
        else:
            theta_vector = load_some(real, theta_form, theta, begin, count)
            m_vector = load_some(real, m_form, m, begin, count)
            v_vector = load_some(real, v_form, v, begin, count)
        for lane in range(lanes):
            theta_prev = get(theta_vector, lane)
            m_t = get(m_vector, lane)
            v_t = get(v_vector, lane)
            # u = m[t]/(sqrt(v[t]) + 1e-6) + lambda*theta[t-1]
            u = m_t / (sqrt(v_t) + real(1e-06)) + lambda_ * theta_prev
            # theta[t] = theta[t-1] - eta*ratio*u
            theta_t = theta_prev - eta_times_ratio * u
            theta_vector = put(theta_vector, lane, theta_t)
        if whole:
            store(theta_form, theta, begin, theta_vector)
        else:
            store_some(theta_form, theta, begin, count, theta_vector)
    return update


@quiet
def start_m(theta, hyper):
    return 0.0


@quiet
def start_v(theta, hyper):
    return 0.0


LAYOUT = layout.Layout(
    name='Lamb',
    family='optimizer',
    doc='',
    hyperparameters=(
        layout.HyperparameterSlot('eta', 'Lamb', 'eta', default=0.01, low=0.0, low_open=False),
        layout.HyperparameterSlot(
            'beta1', 'Lamb', 'beta1', default=0.9, low=0.0, low_open=False, high=1.0,
        ),
        layout.HyperparameterSlot(
            'beta2', 'Lamb', 'beta2', default=0.999, low=0.0, low_open=False, high=1.0,
        ),
        layout.HyperparameterSlot(
            'lambda', 'Lamb', 'lambda', default=0.01, alias='weight_decay', low=0.0, low_open=False,
        ),
    ),
    states=(
        layout.StateSlot('m', 'entry', start_m),
        layout.StateSlot('v', 'entry', start_v),
    ),
    scalars=6,
    tensor=4,
    parts=1,
    ready=(
        layout.Scalars(0, timed(scalars_1, clock_1)),
        layout.Pass(
            0, ('theta', 'g', 'm', 'v'), launched(kernel_1), reductions=2, writes=('m', 'v'),
        ),
        layout.Combine(0, finished(of_tensor=finish_1)),
        layout.Pass(0, ('theta', 'm', 'v'), launched(kernel_2), writes=('theta',)),
    ),
    function=(
        layout.Scalars(0, scalars_1),
        layout.Ask('g', 'theta'),
        layout.Pass(
            0, ('theta', 'g', 'm', 'v'), launched(kernel_1), reductions=2, writes=('m', 'v'),
        ),
        layout.Combine(0, finished(of_tensor=finish_1)),
        layout.Pass(0, ('theta', 'm', 'v'), launched(kernel_2), writes=('theta',)),
    ),
    bind=bind_blocks,
    fingerprint='fafd5218bb17f2c5',
    target='numba-cuda',
)

Lamb = from_layout(LAYOUT)
