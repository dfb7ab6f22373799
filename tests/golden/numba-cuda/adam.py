"""Adam: Adaptive moment estimation.

    m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
    mhat = m[t]/(1 - beta1^t)
    vhat = v[t]/(1 - beta2^t)
    theta[t] = theta[t-1] - eta*mhat/(sqrt(vhat) + epsilon)

Written by optdsl VERSION for the target numba-cuda. Do not edit.
"""
# ruff: noqa

from optdsl.codegen.support.cuda.launching import bind_blocks, launched, timed
from optdsl.codegen.support.cuda.words import (
    THREADS, block_index, float64, get, int32, int64, is_aligned, kernel, load, load_constant,
    load_some, power, put, read, read_changing, sqrt, square, store, store_some, thread_index,
    write,
)
from optdsl.codegen.support.quiet import quiet
from optdsl.cuda import from_layout
from optdsl.runtime import layout


@quiet
def scalars_1(t, hyper, step_state, scalars):
    beta1 = hyper[1]
    beta2 = hyper[2]
    eta = hyper[0]
    epsilon = hyper[3]
    one_minus_beta1 = 1.0 - beta1
    one_minus_beta2 = 1.0 - beta2
    one_minus_beta1_t = 1.0 - beta1 ** t
    one_minus_beta2_t = 1.0 - beta2 ** t
    scalars[0] = beta1
    scalars[1] = one_minus_beta1
    scalars[2] = beta2
    scalars[3] = one_minus_beta2
    scalars[4] = one_minus_beta1_t
    scalars[5] = one_minus_beta2_t
    scalars[6] = eta
    scalars[7] = epsilon


@kernel("step")
def clock_1(real):
    def update(clocks, hyper, step_state, exactly, numbers, everything):
        if thread_index() > 0:
            return
        steps = read_changing(int64, clocks, 0) + 1
        t = float64(steps)
        beta1 = read(float64, hyper, 1)
        beta2 = read(float64, hyper, 2)
        eta = read(float64, hyper, 0)
        epsilon = read(float64, hyper, 3)
        one_minus_beta1 = 1.0 - beta1
        one_minus_beta2 = 1.0 - beta2
        one_minus_beta1_t = 1.0 - power(beta1, t)
        one_minus_beta2_t = 1.0 - power(beta2, t)
        write(float64, exactly, 0, beta1)
        write(real, numbers, 0, beta1)
        write(float64, exactly, 1, one_minus_beta1)
        write(real, numbers, 1, one_minus_beta1)
        write(float64, exactly, 2, beta2)
        write(real, numbers, 2, beta2)
        write(float64, exactly, 3, one_minus_beta2)
        write(real, numbers, 3, one_minus_beta2)
        write(float64, exactly, 4, one_minus_beta1_t)
        write(real, numbers, 4, one_minus_beta1_t)
        write(float64, exactly, 5, one_minus_beta2_t)
        write(real, numbers, 5, one_minus_beta2_t)
        write(float64, exactly, 6, eta)
        write(real, numbers, 6, eta)
        write(float64, exactly, 7, epsilon)
        write(real, numbers, 7, epsilon)
        write(int64, clocks, 0, steps)
    return update


@kernel("pass")
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
        step = 8 * read(int64, cohort, row)
        beta1 = read(real, numbers, step)
        one_minus_beta1 = read(real, numbers, step + 1)
        beta2 = read(real, numbers, step + 2)
        one_minus_beta2 = read(real, numbers, step + 3)
        one_minus_beta1_t = read(real, numbers, step + 4)
        one_minus_beta2_t = read(real, numbers, step + 5)
        eta = read(real, numbers, step + 6)
        epsilon = read(real, numbers, step + 7)
        begin = (read(int64, chunks, block_index()) * THREADS + thread_index()) * lanes
        count = int32(min(size - begin, lanes))
        if count <= 0:
            return
        whole = (
            (count == lanes)
            & is_aligned(real, theta_form, theta)
            & is_aligned(real, g_form, g)
            & is_aligned(real, m_form, m)
            & is_aligned(real, v_form, v)
        )
        if whole:
            theta_vector = load(real, theta_form, theta, begin)
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
            # mhat = m[t]/(1 - beta1^t)
            mhat = m_t / one_minus_beta1_t
            # vhat = v[t]/(1 - beta2^t)
            vhat = v_t / one_minus_beta2_t
            # theta[t] = theta[t-1] - eta*mhat/(sqrt(vhat) + epsilon)
            theta_t = theta_prev - eta * mhat / (sqrt(vhat) + epsilon)
            theta_vector = put(theta_vector, lane, theta_t)
            m_vector = put(m_vector, lane, m_t)
            v_vector = put(v_vector, lane, v_t)
        if whole:
            store(theta_form, theta, begin, theta_vector)
            store(m_form, m, begin, m_vector)
            store(v_form, v, begin, v_vector)
        else:
            store_some(theta_form, theta, begin, count, theta_vector)
            store_some(m_form, m, begin, count, m_vector)
            store_some(v_form, v, begin, count, v_vector)
    return update


@quiet
def start_m(theta, hyper):
    return 0.0


@quiet
def start_v(theta, hyper):
    return 0.0


LAYOUT = layout.Layout(
    name='Adam',
    family='optimizer',
    doc='Adaptive moment estimation.',
    hyperparameters=(
        layout.HyperparameterSlot(
            'eta', 'Adam', 'eta', default=0.001, alias='lr', low=0.0, low_open=False,
        ),
        layout.HyperparameterSlot(
            'beta1', 'Adam', 'beta1', default=0.9, alias='betas', alias_position=1, low=0.0,
            low_open=False, high=1.0,
        ),
        layout.HyperparameterSlot(
            'beta2', 'Adam', 'beta2', default=0.999, alias='betas', alias_position=2, low=0.0,
            low_open=False, high=1.0,
        ),
        layout.HyperparameterSlot(
            'epsilon', 'Adam', 'epsilon', default=1e-08, alias='eps', low=0.0, low_open=False,
        ),
    ),
    states=(
        layout.StateSlot('m', 'entry', start_m),
        layout.StateSlot('v', 'entry', start_v),
    ),
    scalars=8,
    parts=1,
    ready=(
        layout.Scalars(0, timed(scalars_1, clock_1)),
        layout.Pass(0, ('theta', 'g', 'm', 'v'), launched(kernel_1), writes=('theta', 'm', 'v')),
    ),
    function=(
        layout.Scalars(0, scalars_1),
        layout.Ask('g', 'theta'),
        layout.Pass(0, ('theta', 'g', 'm', 'v'), launched(kernel_1), writes=('theta', 'm', 'v')),
    ),
    bind=bind_blocks,
    fingerprint='41ecd2e13fa00af2',
    target='numba-cuda',
)

Adam = from_layout(LAYOUT)
