"""Adam: Adaptive moment estimation.

    m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
    mhat = m[t]/(1 - beta1^t)
    vhat = v[t]/(1 - beta2^t)
    theta[t] = theta[t-1] - eta*mhat/(sqrt(vhat) + epsilon)

Written by optdsl VERSION for the target reference. Do not edit.
"""
# ruff: noqa

import numpy as np

from optdsl.codegen.support.quiet import quiet
from optdsl.codegen.support.tables import bind_whole
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


def update_1(theta, g, m, v, numbers):
    beta1 = numbers[0]
    one_minus_beta1 = numbers[1]
    beta2 = numbers[2]
    one_minus_beta2 = numbers[3]
    one_minus_beta1_t = numbers[4]
    one_minus_beta2_t = numbers[5]
    eta = numbers[6]
    epsilon = numbers[7]
    theta_prev = theta.astype(np.float64)
    g_t = g.astype(np.float64)
    m_prev = m.astype(np.float64)
    v_prev = v.astype(np.float64)
    # m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
    m_t = beta1 * m_prev + one_minus_beta1 * g_t
    # v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
    v_t = beta2 * v_prev + one_minus_beta2 * np.square(g_t)
    # mhat = m[t]/(1 - beta1^t)
    mhat = m_t / one_minus_beta1_t
    # vhat = v[t]/(1 - beta2^t)
    vhat = v_t / one_minus_beta2_t
    # theta[t] = theta[t-1] - eta*mhat/(sqrt(vhat) + epsilon)
    theta_t = theta_prev - eta * mhat / (np.sqrt(vhat) + epsilon)
    theta[...] = theta_t
    m[...] = m_t
    v[...] = v_t


@quiet
def pass_1(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_1(*arrays, scalars[cohort[row]])


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
        layout.Pass(0, ('theta', 'g', 'm', 'v'), pass_1, writes=('theta', 'm', 'v')),
    ),
    function=(
        layout.Scalars(0, scalars_1),
        layout.Ask('g', 'theta'),
        layout.Pass(0, ('theta', 'g', 'm', 'v'), pass_1, writes=('theta', 'm', 'v')),
    ),
    bind=bind_whole,
    fingerprint='41ecd2e13fa00af2',
    target='reference',
)

Adam = from_layout(LAYOUT)
