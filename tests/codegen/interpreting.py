"""What a system means, evaluated node by node with NumPy in float64: the oracle of these tests."""

import numpy as np

from optdsl.model.expressions import Apply, Clock, Constant, Kind, Number, Reduce, Value

OPERATORS = {
    "neg": lambda x: -x,
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: np.divide(x, y),
    "pow": lambda x, y: np.power(np.asarray(x, float), y),
    "mod": lambda x, y: np.mod(x, y),
    "min": lambda *xs: np.minimum.reduce(np.broadcast_arrays(*xs)),
    "max": lambda *xs: np.maximum.reduce(np.broadcast_arrays(*xs)),
    "abs": np.abs,
    "sign": np.sign,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "cos": np.cos,
    "floor": np.floor,
    "finite": np.isfinite,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "select": lambda c, x, y: np.where(c, x, y),
}
REDUCTIONS = {
    "norm": lambda x, _: np.sqrt(np.sum(x * x)),
    "sum": lambda x, _: np.sum(x),
    "mean": lambda x, _: np.divide(np.sum(x), x.size),
    "rms": lambda x, _: np.sqrt(np.divide(np.sum(x * x), x.size)),
    "max": lambda x, _: np.max(x, initial=-np.inf),
    "min": lambda x, _: np.min(x, initial=np.inf),
    "dot": lambda x, y: np.sum(x * y),
    "any": lambda x, _: np.any(x),
}
CONSTANTS = {"pi": np.pi, "inf": np.inf, "true": True, "false": False}


class Interpreter:
    """Steps of a system of one part; every value is a list, one item a tensor."""

    def __init__(self, system, thetas, hyper=None):
        self.system = system
        self.t = 0
        self.hyper = hyper or (lambda t: {})
        self.old = {"theta": [np.array(theta, float) for theta in thetas]}
        self.equations = {each.name: each.value for each in system.equations}
        self.points = {each.name: each.point for each in system.gradients}
        self.t = 1
        self.new = {}
        for state in system.states:
            zero = Number(0, "0")
            start = self.value(state.start or zero)
            shapes = self.old["theta"] if state.kind is Kind.ENTRY else [np.zeros(())] * len(thetas)
            self.old[state.name] = [
                np.array(np.broadcast_to(x, theta.shape), float)
                for x, theta in zip(start, shapes, strict=True)
            ]
        self.t = 0

    @np.errstate(all="ignore")
    def step(self, gradient):
        """Take one step and return every value of it."""
        self.t += 1
        self.new, self.gradient = {}, gradient
        for name in self.equations:
            self.named(name)
        keep = {state.name for state in self.system.states} | {"theta"}
        self.old |= {name: self.new[name] for name in keep if name in self.new}
        return self.new

    def named(self, name):
        if name not in self.new:
            if name in self.points:
                point = self.points[name]
                at = self.old["theta"] if point is None else self.value(point)
                self.new[name] = [np.array(x, float) for x in self.gradient(name, at)]
            else:
                self.new[name] = self.value(self.equations[name])
        return self.new[name]

    def value(self, node):
        match node:
            case Number(value):
                return self.same(float(value))
            case Constant(name):
                return self.same(CONSTANTS[name])
            case Clock(_, offset):
                return self.same(float(self.t + offset))
            case Value(name, _, offset):
                return self.read(name, offset)
            case Apply(operator, arguments):
                rows = zip(*(self.value(each) for each in arguments), strict=True)
                return [OPERATORS[operator](*row) for row in rows]
            case Reduce():
                return self.reduce(node)

    def same(self, x):
        return [np.float64(x) if not isinstance(x, bool) else x for _ in self.old["theta"]]

    def read(self, name, offset):
        for hyper in self.system.hyperparameters:
            if hyper.name == name and name not in self.old:
                given = self.hyper(self.t + offset).get(hyper.local_name)
                return self.value(hyper.default) if given is None else self.same(given)
        return self.old[name] if offset == -1 else self.named(name)

    def reduce(self, node):
        shapes = [theta.shape for theta in self.old["theta"]]
        x = self.spread(node.argument, shapes)
        y = x if node.other is None else self.spread(node.other, shapes)
        if node.kind is Kind.ALL:
            x, y = [np.concatenate(x)], [np.concatenate(y)]
        found = [REDUCTIONS[node.operator](a, b) for a, b in zip(x, y, strict=True)]
        return found * len(shapes) if node.kind is Kind.ALL else found

    def spread(self, node, shapes):
        values = zip(self.value(node), shapes, strict=True)
        return [np.broadcast_to(x, shape).ravel() for x, shape in values]
