"""Hyperparameters: their domains, and defaults that lie within them."""

from __future__ import annotations

from optdsl.language import syntax
from optdsl.model.declarations import Declarations
from optdsl.model.equations import Typed
from optdsl.model.expressions import Apply, Constant, Expression, Kind, Number, values
from optdsl.model.numbers import Exact, constant_value, domain_of
from optdsl.model.problems import Problems
from optdsl.model.system import Domain, Hyperparameter


def hyperparameters(
    declared: Declarations, typed: Typed, problems: Problems
) -> tuple[Hyperparameter, ...]:
    """Return the hyperparameters of a definition, in its order."""
    return tuple(
        _hyperparameter(hyper, typed.defaults[name], declared, problems)
        for name, hyper in declared.hypers.items()
    )


def _hyperparameter(
    hyper: syntax.Hyper, default: Expression | None, declared: Declarations, problems: Problems
) -> Hyperparameter:
    domain = _domain(hyper, problems)
    if default is not None:
        check_default(default, hyper, declared, problems)
    value = None if hyper.default is None else constant_value(hyper.default)
    if domain is not None and value is not None:
        check_in_domain(hyper.name, value, domain, hyper.default, problems)
    return Hyperparameter(
        name=hyper.name,
        owner=declared.definition.name,
        local_name=hyper.name,
        alias=hyper.alias,
        default=default,
        domain=domain,
        doc=hyper.doc,
        span=hyper.span,
    )


def _domain(hyper: syntax.Hyper, problems: Problems) -> Domain | None:
    if hyper.domain is None:
        return None
    domain = domain_of(hyper.domain)
    if domain is None:
        problems.error("bad-domain", "the ends of a domain are numbers", hyper.domain.span)
    elif domain.low > domain.high or (
        domain.low == domain.high and (domain.low_open or domain.high_open)
    ):
        problems.error("bad-domain", "this domain holds no number", hyper.domain.span)
        return None
    return domain


def check_default(
    default: Expression, hyper: syntax.Hyper, declared: Declarations, problems: Problems
) -> None:
    """A default is a number or a formula of t and other hyperparameters."""
    assert hyper.default is not None
    if default.kind is not Kind.STEP or any(v.offset < 0 for v in values(default)):
        problems.error(
            "bad-default",
            "a default is a number, or a formula of t and hyperparameters",
            hyper.default.span,
        )
        return
    for value in values(default):
        if value.name not in declared.hypers or value.name == hyper.name:
            problems.error(
                "bad-default",
                f"the default of `{hyper.name}` cannot depend on `{value.name}`",
                hyper.default.span,
                "a formula of t and of other hyperparameters is possible",
            )


def check_in_domain(
    name: str, value: Exact, domain: Domain, at: syntax.Node | None, problems: Problems
) -> None:
    """A number that is outside its domain is a problem."""
    if value not in domain:
        problems.error(
            "default-outside-domain",
            f"{float(value):g} is outside the domain of `{name}`, {domain}",
            None if at is None else at.span,
        )


def exact(expression: Expression | None) -> Exact | None:
    """Return the number that a default is, or None for a formula."""
    match expression:
        case Number(value):
            return value
        case Constant("inf"):
            return float("inf")
        case Apply("neg", (inner,)):
            value_ = exact(inner)
            return None if value_ is None else -value_
    return None
