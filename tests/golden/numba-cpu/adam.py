"""Adam: Adaptive moment estimation.

    m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
    mhat = m[t]/(1 - beta1^t)
    vhat = v[t]/(1 - beta2^t)
    theta[t] = theta[t-1] - eta*mhat/(sqrt(vhat) + epsilon)

Written by optdsl VERSION for the target numba-cpu. Do not edit.
"""
# ruff: noqa

from optdsl.codegen.support.chunks import bind_chunks, over_chunks
from optdsl.codegen.support.quiet import quiet
from optdsl.codegen.support.words import (
    divide, entrywise, flush_tiny, kernel, next_chunks, restore, row_of, sqrt, square, view,
)
from optdsl.runtime import from_layout, layout


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


@entrywise
def update_1(theta, g, m, v, numbers):
    real = theta.dtype.type
    beta1 = real(numbers[0])
    one_minus_beta1 = real(numbers[1])
    beta2 = real(numbers[2])
    one_minus_beta2 = real(numbers[3])
    one_minus_beta1_t = real(numbers[4])
    one_minus_beta2_t = real(numbers[5])
    eta = real(numbers[6])
    epsilon = real(numbers[7])
    for i in range(theta.size):
        theta_prev = theta[i]
        g_t = g[i]
        m_prev = m[i]
        v_prev = v[i]
        # m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
        m_t = beta1 * m_prev + one_minus_beta1 * g_t
        # v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
        v_t = beta2 * v_prev + one_minus_beta2 * square(g_t)
        # mhat = m[t]/(1 - beta1^t)
        mhat = divide(m_t, one_minus_beta1_t)
        # vhat = v[t]/(1 - beta2^t)
        vhat = divide(v_t, one_minus_beta2_t)
        # theta[t] = theta[t-1] - eta*mhat/(sqrt(vhat) + epsilon)
        theta_t = theta_prev - eta * mhat / (sqrt(vhat) + epsilon)
        theta[i] = theta_t
        m[i] = m_t
        v[i] = v_t


@kernel
def kernel_1(take, formats, addresses, counts, rows, cohort, scalars, tensor, everything, partials):
    before = flush_tiny()
    first, last = next_chunks(take)
    while first < last:
        for chunk in range(first, last):
            row = rows[chunk]
            theta = view(addresses[chunk, 0], counts[chunk], formats[0])
            g = view(addresses[chunk, 1], counts[chunk], formats[1])
            m = view(addresses[chunk, 2], counts[chunk], formats[2])
            v = view(addresses[chunk, 3], counts[chunk], formats[3])
            update_1(theta, g, m, v, row_of(scalars, cohort[row]))
        first, last = next_chunks(take)
    restore(before)


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
        layout.Scalars(0, scalars_1),
        layout.Pass(0, ('theta', 'g', 'm', 'v'), over_chunks(kernel_1), writes=('theta', 'm', 'v')),
    ),
    function=(
        layout.Scalars(0, scalars_1),
        layout.Ask('g', 'theta'),
        layout.Pass(0, ('theta', 'g', 'm', 'v'), over_chunks(kernel_1), writes=('theta', 'm', 'v')),
    ),
    bind=bind_chunks,
    fingerprint='41ecd2e13fa00af2',
    target='numba-cpu',
)

Adam = from_layout(LAYOUT)
