"""Pairs of systems with their verdicts, worked out by hand."""

from __future__ import annotations

from optdsl.checks.equivalence import compare
from optdsl.library import load_system
from tests.checks.systems import over, system

ADAM = load_system("Adam")
MOMENTUM = load_system("Momentum")
NESTEROV = load_system("Nesterov")
RMSPROP = load_system("RMSprop")
SGD = load_system("SGD")

OUTSIDE = system("""
optimizer MomentumOutside extends Momentum
  v[t] = gamma*v[t-1] + g[t]
  theta[t] = theta[t-1] - eta*v[t]
""")
AVERAGED = system("""
optimizer Averaged
  hyper rate in [0, inf)
  hyper gamma in [0, 1)
  m[0] = 0
  m[t] = gamma*m[t-1] + (1 - gamma)*g[t]
  theta[t] = theta[t-1] - rate*m[t]
""")
SGDW = system("""
optimizer SGDW extends Momentum
  hyper lambda as weight_decay = 0.01 in [0, inf)
  theta[t] = theta[t-1] - v[t] - eta*lambda*theta[t-1]
""")
PENALISED_MOMENTUM = system("""
optimizer PenalisedMomentum extends Momentum
  hyper lambda as weight_decay = 0.01 in [0, inf)
  v[t] = gamma*v[t-1] + eta*(g[t] + lambda*theta[t-1])
""")
PENALISED = system("""
optimizer Penalised extends SGD
  hyper lambda as weight_decay = 0.01 in [0, inf)
  theta[t] = theta[t-1] - eta*(g[t] + lambda*theta[t-1])
""")
SHRINKING = system("""
optimizer Shrinking extends SGD
  hyper w = 0.99
  theta[t] = w*theta[t-1] - eta*g[t]
""")
EFFICIENT = system("""
optimizer Efficient
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilonhat in [0, inf)
  m[0] = v[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  rate = eta*sqrt(1 - beta2^t)/(1 - beta1^t)
  theta[t] = theta[t-1] - rate*m[t]/(sqrt(v[t]) + epsilonhat)
""")
ROOTS_WRITTEN_OUT = system("""
optimizer RootsWrittenOut
  hyper gamma in [0, 1)
  hyper epsilon in [0, inf)
  G[0] = D[0] = 0
  G[t] = gamma*G[t-1] + (1 - gamma)*g[t]^2
  d = -sqrt(D[t-1] + epsilon)/sqrt(G[t] + epsilon)*g[t]
  D[t] = gamma*D[t-1] + (1 - gamma)*d^2
  theta[t] = theta[t-1] + d
""")
ROOTS_NAMED = system("""
optimizer RootsNamed
  hyper gamma in [0, 1)
  hyper epsilon in [0, inf)
  G[0] = D[0] = 0
  R[0] = sqrt(epsilon)
  G[t] = gamma*G[t-1] + (1 - gamma)*g[t]^2
  d = -R[t-1]/sqrt(G[t] + epsilon)*g[t]
  D[t] = gamma*D[t-1] + (1 - gamma)*d^2
  R[t] = sqrt(D[t] + epsilon)
  theta[t] = theta[t-1] + d
""")
ADABELIEF = system("""
optimizer AdaBelief extends Adam
  v[t] = beta2*v[t-1] + (1 - beta2)*(g[t] - m[t])^2 + epsilon
""")
LOOKING_AHEAD = system("""
optimizer LookingAhead
  hyper eta in [0, inf)
  hyper gamma in [0, 1)
  v[0] = 0
  v[t] = gamma*v[t-1] + eta*g[t]
  theta[t] = theta[t-1] - gamma*v[t] - eta*g[t]
""")
LOOKING_AT_NEXT = system("""
optimizer LookingAtNext extends LookingAhead
  theta[t] = theta[t-1] - gamma[t+1]*v[t] - eta*g[t]

optimizer LookingAhead
  hyper eta in [0, inf)
  hyper gamma in [0, 1)
  v[0] = 0
  v[t] = gamma*v[t-1] + eta*g[t]
  theta[t] = theta[t-1] - gamma[t+1]*v[t] - eta*g[t]
""")
ADAGRAD_OUTSIDE = system("""
optimizer AdagradOutside extends Adagrad
  theta[t] = theta[t-1] - eta/(sqrt(G[t]) + epsilon)*g[t]
""")
AMSGRAD = system("""
optimizer AMSGrad
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  m[0] = v[0] = vhat[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  vhat[t] = max(vhat[t-1], v[t])
  theta[t] = theta[t-1] - eta/(sqrt(vhat[t]) + epsilon)*m[t]
""")
AMSGRAD_MAX_FIRST = system("""
optimizer MaxFirst
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  m[0] = v[0] = vhat[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  vhat[t] = max(vhat[t-1], v[t])
  theta[t] = theta[t-1] - eta*m[t]/(1 - beta1^t)/(sqrt(vhat[t]/(1 - beta2^t)) + epsilon)
""")
AMSGRAD_MAX_LAST = system("""
optimizer MaxLast
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  m[0] = v[0] = vhat[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  vhat[t] = max(vhat[t-1], v[t]/(1 - beta2^t))
  theta[t] = theta[t-1] - eta*m[t]/(1 - beta1^t)/(sqrt(vhat[t]) + epsilon)
""")
AMSGRAD_BY_CASES = system("""
optimizer ByCases
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  a[0] = b[0] = c[0] = 0
  a[t] = beta1*a[t-1] + (1 - beta1)*g[t]
  b[t] = beta2*b[t-1] + (1 - beta2)*g[t]^2
  c[t] = b[t] if b[t] > c[t-1]
  theta[t] = theta[t-1] - eta/(sqrt(c[t]) + epsilon)*a[t]
""")
AMSGRAD_PROSE = system("""
optimizer Prose
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  m[0] = v[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  theta[t] = theta[t-1] - eta/(sqrt(max(v[t-1], v[t])) + epsilon)*m[t]
""")
HALVING = system("""
schedule Halving gives eta
  hyper eta_0 in [0, inf)
  eta[0] = eta_0
  eta[t] = eta[t-1]/2
""")
EXPONENTIAL = system("""
schedule Decay gives eta
  hyper eta_0 in [0, inf)
  hyper k in [0, inf)
  eta[t] = eta_0*exp(-k*t)
""")
LENGTHS = system("""
optimizer Clipped extends SGD
  n = norm(g[t])
  theta[t] = theta[t-1] - eta*(g[t]/n if n > 1 else g[t])
""")
SQUARED_LENGTHS = system("""
optimizer ClippedBySquares extends SGD
  n = sum(g[t]^2)
  theta[t] = theta[t-1] - (eta*g[t] if n <= 1 else eta*g[t]/sqrt(n))
""")

DEBIASED = system("""
optimizer Debiased
  hyper eta in [0, inf)
  hyper beta in [0, 1)
  m[0] = 0
  m[t] = beta*m[t-1] + (1 - beta)*g[t]
  theta[t] = theta[t-1] - eta*m[t]/(1 - beta^t)
""")
WEIGHED = system("""
optimizer Weighed
  hyper eta in [0, inf)
  hyper beta in [0, 1)
  m[0] = w[0] = 0
  m[t] = beta*m[t-1] + (1 - beta)*g[t]
  w[t] = beta*w[t-1] + (1 - beta)
  theta[t] = theta[t-1] - eta*m[t]/w[t]
""")
MEAN = system("""
optimizer Mean
  hyper eta in [0, inf)
  m[0] = 0
  m[t] = m[t-1] + (g[t] - m[t-1])/t
  theta[t] = theta[t-1] - eta*m[t]
""")
COUNTED = system("""
optimizer Counted
  hyper eta in [0, inf)
  s[0] = 0
  c[0] = 1
  c[t] = c[t-1] + 1
  s[t] = s[t-1] + g[t]
  theta[t] = theta[t-1] - eta*s[t]/(c[t] - 1)
""")

ALL_ADAM = ("eta", "beta1", "beta2", "epsilon")

PROVED = {
    "itself": (ADAM, ADAM, {}),
    "decay of nothing": (SGDW, MOMENTUM, {"fixed": {"lambda": "0"}}),
    "AdamW without decay": (load_system("AdamW"), ADAM, {"fixed": {"lambda": "0"}}),
    "no momentum": (MOMENTUM, SGD, {"fixed": {"gamma": "0"}}),
    "no momentum, looking ahead": (NESTEROV, SGD, {"fixed": {"gamma": "0"}}),
    "step size outside": (OUTSIDE, MOMENTUM, {"constant": ["eta"]}),
    "step size inside": (MOMENTUM, OUTSIDE, {"constant": ["eta"]}),
    "average": (
        MOMENTUM,
        AVERAGED,
        {"constant": ["eta", "gamma"], "mapping": {"rate": "eta/(1 - gamma)"}},
    ),
    "penalty": (PENALISED, SHRINKING, {"mapping": {"w": "1 - eta*lambda"}}),
    "SGDW without momentum": (SGDW, PENALISED_MOMENTUM, {"fixed": {"gamma": "0"}}),
    "efficient order": (ADAM, EFFICIENT, {"mapping": {"epsilonhat": "epsilon*sqrt(1 - beta2^t)"}}),
    "roots written out": (ROOTS_NAMED, ROOTS_WRITTEN_OUT, {"constant": ["epsilon"]}),
    "roots named": (ROOTS_WRITTEN_OUT, ROOTS_NAMED, {"constant": ["epsilon"]}),
    "Adadelta": (load_system("Adadelta"), ROOTS_NAMED, {}),
    "Adagrad without epsilon": (
        load_system("Adagrad"),
        ADAGRAD_OUTSIDE,
        {"fixed": {"epsilon": "0"}},
    ),
    "look-ahead": (
        NESTEROV,
        LOOKING_AHEAD,
        {"constant": ["gamma"], "mapping": {"theta": "theta[t] - gamma*v[t]"}},
    ),
    "look-ahead with the next gamma": (
        NESTEROV,
        LOOKING_AT_NEXT,
        {"mapping": {"theta": "theta[t] - gamma[t+1]*v[t]"}},
    ),
    "maximum by cases": (AMSGRAD, AMSGRAD_BY_CASES, {}),
    "halving": (
        HALVING,
        EXPONENTIAL,
        {"mapping": {"k": "log(2)"}, "constant": ["eta_0"]},
    ),
    "lengths": (LENGTHS, SQUARED_LENGTHS, {}),
    "weights that are summed": (DEBIASED, WEIGHED, {"constant": ["beta"]}),
    "powers that are products": (WEIGHED, DEBIASED, {"constant": ["beta"]}),
    "a counter": (MEAN, COUNTED, {}),
}

DIFFERS = {
    "look-ahead": (MOMENTUM, NESTEROV, {}, 2),
    "step size outside": (OUTSIDE, MOMENTUM, {}, 2),
    "average": (MOMENTUM, AVERAGED, {"mapping": {"rate": "eta"}}, 1),
    "average, varying": (MOMENTUM, AVERAGED, {"mapping": {"rate": "eta/(1 - gamma)"}}, 2),
    "penalty in momentum": (SGDW, PENALISED_MOMENTUM, {}, 2),
    "small w for large": (PENALISED, SHRINKING, {"mapping": {"w": "lambda"}}, 1),
    "epsilon": (load_system("Adagrad"), ADAGRAD_OUTSIDE, {}, 1),
    "efficient order": (ADAM, EFFICIENT, {"mapping": {"epsilonhat": "epsilon"}}, 1),
    "roots written out, varying": (ROOTS_NAMED, ROOTS_WRITTEN_OUT, {}, 1),
    "belief": (ADAM, ADABELIEF, {}, 1),
    "look-ahead without a map": (NESTEROV, LOOKING_AHEAD, {}, 1),
    "look-ahead, varying": (
        NESTEROV,
        LOOKING_AHEAD,
        {"mapping": {"theta": "theta[t] - gamma*v[t]"}},
        2,
    ),
    "no maximum": (AMSGRAD, AMSGRAD_MAX_FIRST, {}, 1),
    "maximum before and after the correction": (AMSGRAD_MAX_FIRST, AMSGRAD_MAX_LAST, {}, 2),
    "maximum of two values": (AMSGRAD, AMSGRAD_PROSE, {}, 3),
    "halving": (HALVING, EXPONENTIAL, {"mapping": {"k": "1"}}, 1),
    "weights that are summed": (DEBIASED, WEIGHED, {}, 2),
}


def ask(ours, theirs, options):
    given = dict(options)
    for name in ("mapping", "fixed"):
        if name in given:
            given[name] = over(ours, **given[name])
    return compare(ours, theirs, **given)
