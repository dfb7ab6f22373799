"""Rules that the tests of programs and code are about, from text and by hand."""

from functools import cache

from optdsl.language import parse
from optdsl.model import System, build
from optdsl.model.expressions import Kind, Reduce, Value, apply, number
from optdsl.model.system import Equation, Gradient, State

TEXTS = {
    "sgd": """
optimizer SGD
  hyper eta as lr = 0.01 in [0, inf)
  theta[t] = theta[t-1] - eta*g[t]
""",
    "sgd_power": """
optimizer PoweredDescent
  hyper eta as lr = 0.01 in [0, inf)
  theta[t] = theta[t-1] - eta*abs(g[t])^1.5
""",
    "momentum": """
optimizer Momentum
  hyper eta as lr = 0.01 in [0, inf)
  hyper gamma = 0.9 in [0, 1)
  v[0] = 0
  v[t] = gamma*v[t-1] + eta*g[t]
  theta[t] = theta[t-1] - v[t]
""",
    "adam": """
optimizer Adam
  "Adaptive moment estimation."
  hyper eta as lr         = 0.001 in [0, inf)
  hyper beta1 as betas[1] = 0.9   in [0, 1)
  hyper beta2 as betas[2] = 0.999 in [0, 1)
  hyper epsilon as eps    = 1e-8  in [0, inf)
  m[0] = v[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  mhat = m[t]/(1 - beta1^t)
  vhat = v[t]/(1 - beta2^t)
  theta[t] = theta[t-1] - eta*mhat/(sqrt(vhat) + epsilon)
""",
    "nesterov": """
optimizer Nesterov
  hyper eta = 0.01 in [0, inf)
  hyper gamma = 0.9 in [0, 1)
  v[0] = 0
  g[t] = grad(theta[t-1] - gamma*v[t-1])
  v[t] = gamma*v[t-1] + eta*g[t]
  theta[t] = theta[t-1] - v[t]
""",
    "lamb": """
optimizer Lamb
  hyper eta = 0.01 in [0, inf)
  hyper beta1 = 0.9 in [0, 1)
  hyper beta2 = 0.999 in [0, 1)
  hyper lambda as weight_decay = 0.01 in [0, inf)
  m[0] = v[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  u = m[t]/(sqrt(v[t]) + 1e-6) + lambda*theta[t-1]
  ratio = norm(theta[t-1])/norm(u) if norm(theta[t-1]) > 0 and norm(u) > 0 else 1
  theta[t] = theta[t-1] - eta*ratio*u
""",
    "late": """
optimizer Late
  "The old value of v is wanted again once the length of the new one is known."
  hyper eta = 0.01 in [0, inf)
  v[0] = 0
  v[t] = 0.5*v[t-1] + g[t]
  theta[t] = theta[t-1] - eta*(v[t] - v[t-1])/(1 + norm(v[t]))
""",
    "rprop": """
optimizer Rprop
  hyper eta as lr = 0.01 in (0, inf)
  q[0] = 0
  D[0] = eta
  p = g[t]*q[t-1]
  q[t] = 0 if p < 0 else g[t]
  D[t] = min(1.2*D[t-1], 50) if p > 0 else max(0.5*D[t-1], 1e-6) if p < 0
  theta[t] = theta[t-1] - D[t]*sign(q[t])
""",
    "trust": """
optimizer Trust
  "A number a tensor that is remembered, and read after it has moved on."
  hyper eta = 0.01 in [0, inf)
  n[0] = 1
  n[t] = 0.9*n[t-1] + 0.1*norm(g[t])
  theta[t] = theta[t-1] - eta*n[t-1]/n[t]*g[t]
""",
    "anchored": """
optimizer Anchored
  "Remembers where it started, and the gradient before."
  hyper eta = 0.01 in [0, inf)
  g[0] = 0
  theta[t] = theta[t-1] - eta*(g[t] + g[t] - g[t-1]) - 0.01*(theta[t-1] - theta[0])
""",
    "extragradient": """
optimizer Extragradient
  hyper eta = 0.1 in [0, inf)
  n = norm(g[t], all)
  s = grad(theta[t-1] - eta*g[t]/n if n > 0 else theta[t-1])
  theta[t] = theta[t-1] - eta*s
""",
    "cooling": """
schedule Cooling gives eta
  hyper eta_0 = 0.1 in (0, inf)
  c[0] = 1
  c[t] = 0.5*c[t-1] if mod(t, 2) == 0 else c[t-1]
  eta = eta_0*c[t] + c[t-1]/t^2
""",
    "clip": """
transform Clip gives u
  hyper c = 1 in (0, inf)
  n = norm(g[t], all)
  u = g[t]*c/n if n > c else g[t]
""",
    "accumulate": """
transform Accumulate gives u
  hyper k = 3 in 1..inf
  a[0] = 0
  a[t] = g[t] + (0 if mod(t - 1, k) == 0 else a[t-1])
  u = a[t]/k
  skip when mod(t, k) != 0
""",
    "finite": """
transform Finite gives u
  u = g[t]
  skip when any(not finite(g[t]), all)
""",
    "chained": """
optimizer Chained
  "Reductions of what other reductions are needed for: four passes."
  hyper eta = 0.1 in [0, inf)
  m[0] = 0
  m[t] = 0.9*m[t-1] + norm(g[t])*g[t]
  k = dot(m[t], g[t])/(norm(m[t]) + 1)
  j = mean(m[t] - k*g[t], all)
  theta[t] = theta[t-1] - eta*(m[t] - k*g[t] - j)
""",
    "recalled": """
optimizer Recalled
  "Numbers of every kind that are remembered."
  hyper eta = 0.1 in [0, inf)
  e[0] = 0.1
  e[t] = 0.99*e[t-1]
  s[0] = 0
  s[t] = max(s[t-1], norm(g[t], all))
  eta[0] = 0
  theta[t] = theta[t-1] - e[t-1]*g[t]/(1 + s[t]) + s[t-1]*eta[t-1]
""",
    "shaped": """
optimizer Shaped
  hyper eta = 0.1 in [0, inf)
  k = sqrt(max(1, rows/columns)) if ndim == 2 and not named("w4") else size
  theta[t] = theta[t-1] - eta*k*g[t]
""",
    "clipped": "optimizer Clipped = Clip | Adam",
    "accumulated": "optimizer Accumulated = Accumulate | Momentum",
    "guarded": "optimizer Guarded = Finite | Nesterov",
}


@cache
def _definitions():
    found = {}
    for text in TEXTS.values():
        for definition in parse(text).definitions:
            found[definition.name] = definition
    return found


@cache
def system(name: str) -> System:
    """Return the system called `name` above, or one made by hand."""
    if name in BY_HAND:
        return BY_HAND[name]()
    definition = parse(TEXTS[name]).definitions[0]
    return build(definition, _definitions().get)


def entry(name: str, offset: int = 0) -> Value:
    """Return a value of kind ENTRY."""
    return Value(name, Kind.ENTRY, offset)


def by_hand(name, states, equations, family="optimizer", outputs=("theta",), hypers=()) -> System:
    """Return a system of these equations, with the gradient g at theta[t-1]."""
    point = entry("theta", -1) if family == "optimizer" else None
    return System(
        name=name,
        family=family,
        doc=None,
        hyperparameters=tuple(hypers),
        states=tuple(states),
        equations=tuple(equations),
        gradients=(Gradient("g", point),) if family != "schedule" else (),
        outputs=outputs,
    )


def _reductions() -> System:
    """Every reduction, over a tensor and over all, each kept as a state."""
    g, theta = entry("g"), entry("theta", -1)
    states, equations = [], []
    for operator in ("norm", "sum", "mean", "rms", "max", "min", "dot", "any"):
        for kind in (Kind.TENSOR, Kind.ALL):
            name = f"{operator}_{kind.name.lower()}"
            argument = apply("gt", g, number(1)) if operator == "any" else g
            other = theta if operator == "dot" else None
            states.append(State(name, kind, number(0)))
            equations.append(Equation(name, Reduce(operator, argument, kind, other)))
    equations.append(Equation("theta", apply("sub", theta, g)))
    return by_hand("Reductions", states, equations)


BY_HAND = {"reductions": _reductions}
NAMES = (*TEXTS, *BY_HAND)
