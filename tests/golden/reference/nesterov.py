"""Nesterov

    g[t] = grad(theta[t-1] - gamma*v[t-1])
    v[t] = gamma*v[t-1] + eta*g[t]
    theta[t] = theta[t-1] - v[t]

Written by optdsl VERSION for the target reference. Do not edit.
"""
# ruff: noqa

import numpy as np

from optdsl.codegen.support.quiet import quiet
from optdsl.codegen.support.tables import bind_whole
from optdsl.runtime import from_layout, layout


@quiet
def scalars_1(t, hyper, step_state, scalars):
    gamma = hyper[1]
    eta = hyper[0]
    gamma_next = hyper[2]
    scalars[0] = gamma
    scalars[1] = eta
    scalars[2] = gamma_next


def update_1(theta, g, v, numbers):
    gamma = numbers[0]
    eta = numbers[1]
    gamma_next = numbers[2]
    theta_prev = theta.astype(np.float64)
    g_t = g.astype(np.float64)
    v_prev = v.astype(np.float64)
    # iterate_before = theta[t-1] + gamma*v[t-1]
    iterate_before = theta_prev + gamma * v_prev
    # v[t] = gamma*v[t-1] + eta*g[t]
    v_t = gamma * v_prev + eta * g_t
    # iterate = iterate_before - v[t]
    iterate_t = iterate_before - v_t
    # theta[t] = iterate - gamma[t+1]*v[t]
    theta_t = iterate_t - gamma_next * v_t
    theta[...] = theta_t
    v[...] = v_t


@quiet
def pass_1(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_1(*arrays, scalars[cohort[row]])


@quiet
def scalars_2(t, hyper, step_state, scalars):
    gamma = hyper[1]
    eta = hyper[0]
    scalars[0] = gamma
    scalars[1] = eta


def update_2(theta, v, point_g, numbers):
    gamma = numbers[0]
    theta_prev = theta.astype(np.float64)
    v_prev = v.astype(np.float64)
    # point_g = theta[t-1] - gamma*v[t-1]
    point_g_t = theta_prev - gamma * v_prev
    point_g[...] = point_g_t


@quiet
def pass_2(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_2(*arrays, scalars[cohort[row]])


def update_3(theta, g, v, numbers):
    gamma = numbers[0]
    eta = numbers[1]
    theta_prev = theta.astype(np.float64)
    g_t = g.astype(np.float64)
    v_prev = v.astype(np.float64)
    # v[t] = gamma*v[t-1] + eta*g[t]
    v_t = gamma * v_prev + eta * g_t
    # theta[t] = theta[t-1] - v[t]
    theta_t = theta_prev - v_t
    theta[...] = theta_t
    v[...] = v_t


@quiet
def pass_3(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_3(*arrays, scalars[cohort[row]])


@quiet
def scalars_3(t, hyper, step_state, scalars):
    gamma = hyper[1]
    scalars[0] = gamma


def update_4(theta, v, iterate, numbers):
    gamma = numbers[0]
    theta_prev = theta.astype(np.float64)
    v_prev = v.astype(np.float64)
    # iterate = theta[t-1] + gamma*v[t-1]
    iterate_t = theta_prev + gamma * v_prev
    iterate[...] = iterate_t


@quiet
def pass_4(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_4(*arrays, scalars[cohort[row]])


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
        layout.Scalars(0, scalars_1),
        layout.Pass(0, ('theta', 'g', 'v'), pass_1, writes=('theta', 'v')),
    ),
    function=(
        layout.Scalars(0, scalars_2),
        layout.Pass(0, ('theta', 'v', 'point_g'), pass_2, writes=('point_g',)),
        layout.Ask('g', 'point_g'),
        layout.Pass(0, ('theta', 'g', 'v'), pass_3, writes=('theta', 'v')),
    ),
    iterate=(
        layout.Scalars(0, scalars_3),
        layout.Pass(0, ('theta', 'v', 'iterate'), pass_4, writes=('iterate',)),
    ),
    bind=bind_whole,
    buffers=('point_g', 'iterate'),
    fingerprint='141355da739b9037',
    target='reference',
)

Nesterov = from_layout(LAYOUT)
