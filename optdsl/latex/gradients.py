"""Reads gradients: `\\nabla_\\theta J(\\theta - \\gamma v_{t-1})` and `\\partial L / \\partial w`.

Both are `grad(point)` in the language; the data of the loss are left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from optdsl.diagnostics import Span
from optdsl.language import syntax
from optdsl.latex import shapes, trees
from optdsl.latex.names import settle, sort_scripts, time_index
from optdsl.latex.notation import (
    Chain,
    Comparison,
    Fraction,
    Group,
    Raw,
    Script,
    Scripted,
    Slice,
    Symbol,
)
from optdsl.latex.problems import refuse
from optdsl.latex.reads import Reads


def gradient(head: Raw, rest: list[Raw], reader: Reads) -> syntax.Expression:
    """Read a nabla with the loss and the point that follow it; they are taken from `rest`."""
    subject = _subject(head, reader)
    if not rest or not shapes.is_symbol(rest[0]):
        place = shapes.unscripted(head).span
        raise refuse("latex-gradient", "expected the function whose gradient this is", place)
    loss, point = _point_behind(rest.pop(0))
    _check_loss(loss, reader)
    if point is None and not (rest and shapes.is_group(rest[0], "(")):
        if subject is None:
            message = "expected the point at which the gradient is taken"
            raise refuse("latex-gradient", message, loss.span)
        _check_data(loss, (), reader)
        return syntax.Call("grad", (subject,), span=head.span.to(loss.span))
    if point is not None:
        _check_data(loss, (), reader)
        return _evaluated(point, subject, head, reader)
    follower, point = _point_behind(rest.pop(0))
    if isinstance(follower, Scripted):
        message = "is the loss raised, or its gradient?"
        raise refuse("latex-ambiguous", message, follower.scripts[0].span)
    group = cast(Group, follower)
    if not group.items:
        raise refuse("latex-gradient", "expected the point of the gradient", group.span)
    if subject is not None and (nested := nested_point(group, subject_of(head))) is not None:
        return syntax.Call("grad", (reader.expression(nested),), span=head.span.to(group.span))
    for separator, item in zip(group.separators, group.items[1:], strict=True):
        if separator == "," and not _is_sample(item, reader):
            hint = "the data of a loss stand behind a semicolon"
            raise refuse("latex-gradient", "two points of one gradient", item.span, hint)
        _require_data(item)
    _check_data(loss, group.items[1:], reader)
    if point is not None:
        if not shapes.is_symbol(group.items[0]):
            raise refuse("latex-gradient", "two points of one gradient", point.span)
        return _evaluated(point, subject, head, reader)
    value = reader.expression(group.items[0])
    if subject is not None:
        _require_within(subject, value, head.span)
    return syntax.Call("grad", (value,), span=head.span.to(group.span))


def subject_of(head: Raw) -> Raw | None:
    """Return what stands below a nabla."""
    return head.scripts[0].items[0] if isinstance(head, Scripted) else None


def nested_point(group: Group, subject: Raw | None) -> Raw | None:
    """`\\nabla_\\theta L(f(x; \\theta), y)`: the parameter, where the model takes it."""
    if subject is None:
        return None
    key = shapes.key_of(subject)
    inside = [part for part in shapes.walk(group.items) if isinstance(part, Group)]
    inner = [item for part in inside for item in part.items]
    bare = [item for item in inner if shapes.is_symbol(item) and shapes.key_of(item) == key]
    letters = [node for node in shapes.walk(group) if isinstance(node, Symbol)]
    reads = sum(node.name == key[-1] for node in letters)
    said = {"".join(item.span.text.split()) for item in bare}
    timed = isinstance(subject, Scripted)
    alike = said == {"".join(subject.span.text.split())} if timed else len(said) == 1
    return bare[0] if alike and len(bare) == reads else None


def _point_behind(raw: Raw) -> tuple[Raw, Script | None]:
    """Part `L(w)|_{w = w_t}` from the point behind its bar."""
    if not isinstance(raw, Scripted) or not raw.scripts[-1].point:
        return raw, None
    (*before, point) = raw.scripts
    rest = Scripted(raw.base, tuple(before), raw.span) if before else raw.base
    return rest, point


def _evaluated(
    point: Script, subject: syntax.Name | None, head: Raw, reader: Reads
) -> syntax.Expression:
    """Return the gradient at the point behind a bar: `|_{w_t + e}` or `|_{w = w_t + e}`."""
    match point.items:
        case (Comparison("==", _, at),) | (at,):
            value = reader.expression(at)
            if subject is not None and not subject.indices:
                _require_within(subject, value, head.span)
            return syntax.Call("grad", (value,), span=head.span.to(point.span))
    raise refuse("latex-gradient", "expected the point of the gradient", point.span)


def _is_sample(raw: Raw, reader: Reads) -> bool:
    """`f(x_t, \\xi_t)`: letters that papers keep for a random sample, or a batch."""
    base = shapes.unscripted(raw)
    if not isinstance(base, Symbol) or base.name in reader.evidence.targets:
        return False
    return base.name in ("xi", "zeta", "omega", "s", "S", "B", "D")


def derivative(raw: Fraction, rest: list[Raw], reader: Reads) -> syntax.Expression:
    """Read `\\frac{\\partial L}{\\partial w}`; a `(t)` behind it, in `rest`, says the step."""
    loss, point = shapes.after_partial(raw.numerator), shapes.after_partial(raw.denominator)
    if not loss and rest and shapes.is_symbol(rest[0]):
        loss = [rest.pop(0)]  # `\\frac{\\partial}{\\partial w} L`
        if rest and shapes.is_group(rest[0], "("):
            loss.append(rest.pop(0))
    if not loss or not shapes.is_symbol(loss[0]) or len(loss) > 2:
        raise refuse("latex-gradient", "expected `\\partial` and a loss", raw.numerator.span)
    _check_loss(loss[0], reader)
    if not point or not shapes.is_symbol(point[0]):
        message = "expected `\\partial` and a parameter"
        raise refuse("latex-gradient", message, raw.denominator.span)
    values = reader.factors(Chain(tuple(point), raw.denominator.span))
    if len(values) != 1 or not isinstance(values[0], syntax.Name):
        raise refuse("latex-gradient", "expected a parameter", raw.denominator.span)
    name = values[0]
    _check_data(loss[0], (), reader)
    if len(loss) == 2:
        return _derivative_at(loss[1], name, raw, reader)
    if rest and shapes.is_group(rest[0], "("):
        follower = rest.pop(0)
        group = cast(Group, shapes.unscripted(follower))
        time = shapes.time_of(group.items[0]) if len(group.items) == 1 else None
        if time != 0 or isinstance(follower, Scripted) or name.indices:
            message = "expected the time `(t)` behind the derivative, or a product sign"
            raise refuse("latex-gradient", message, follower.span)
    return syntax.Call("grad", (name,), span=raw.span)


def derivative_at_time(raw: Raw, script: Script, reader: Reads) -> syntax.Expression | None:
    """`\\frac{\\partial E}{\\partial w}^{(t-1)}`: g at that time; None where it is a power."""
    if not (isinstance(raw, Fraction) and shapes.starts_partial(raw.numerator)):
        return None
    if not (script.raised and len(script.items) == 1):
        return None
    item = script.items[0]
    bracketed = isinstance(item, Group) and item.bracket == "(" and len(item.items) == 1
    time = shapes.time_of(item.items[0]) if isinstance(item, Group) and bracketed else None
    if time is None:
        return None
    value = derivative(raw, [], reader)
    point = value.arguments[0] if isinstance(value, syntax.Call) else value
    if getattr(point, "indices", ()):
        raise refuse("latex-gradient", "a second time on one gradient", script.span)
    return syntax.Name("g", (time_index(time, raw.span),), span=raw.span)


def _derivative_at(
    bracket: Raw, subject: syntax.Name, raw: Fraction, reader: Reads
) -> syntax.Expression:
    """`\\frac{\\partial L(w_t)}{\\partial w_t}`: the point stands behind the loss."""
    group = shapes.unscripted(bracket)
    if not isinstance(group, Group) or bracket is not group or len(group.items) != 1:
        raise refuse("latex-gradient", "expected the point of the gradient", bracket.span)
    point = reader.expression(group.items[0])
    _require_within(subject, point, raw.denominator.span)
    return syntax.Call("grad", (point,), span=raw.span)


def _check_data(loss: Raw, data: tuple[Raw, ...], reader: Reads) -> None:
    """All gradients of one step are taken on the same data: `\\xi_t` and `\\xi_{t-1}` are two."""
    before = reader.data if reader.data is not None else data
    if [_sample(one) for one in before] != [_sample(one) for one in data]:
        place = data[0].span if data else loss.span
        message = "gradients on data of two kinds, or of two steps"
        hint = "all gradients that a step asks for are taken on its own data"
        raise refuse("latex-gradient", message, place, hint)
    reader.data = before


def _sample(raw: Raw) -> tuple[object, ...]:
    """What tells one sample from another: its letter, and the time on it."""
    scripts = raw.scripts if isinstance(raw, Scripted) else ()
    times = [shapes.time_of(item) for script in scripts for item in script.items]
    return (*shapes.key_of(raw), *(time for time in times if time is not None))


def _check_loss(raw: Raw, reader: Reads) -> None:
    """One loss in a group of equations, none that they define themselves."""
    loss = sort_scripts(_without_fonts(raw), reader.evidence)
    if loss.raised or loss.time not in (None, 0):
        raise refuse("latex-gradient", "this loss is not understood", raw.span)
    if loss.name in reader.evidence.targets:
        message = f"`{raw.span.text}` has an equation here: its gradient is not understood"
        raise refuse("latex-gradient", message, raw.span)
    before = reader.loss or loss
    said = [(one.printed_as, one.components, one.time) for one in (before, loss)]
    if said[0] != said[1]:
        message = f"gradients of two losses, `{before.span.text}` and `{raw.span.text}`"
        raise refuse("latex-gradient", message, raw.span)
    reader.loss = before


def _without_fonts(raw: Raw) -> Raw:
    """`L_{\\mathcal{S}}`: the alphabet of what stands below a loss says nothing."""

    def change(node: object) -> object:
        return replace(node, font="") if isinstance(node, Symbol) and node.font else None

    if not isinstance(raw, Scripted):
        return raw
    return replace(raw, scripts=shapes.rebuild(raw.scripts, change))


def _subject(head: Raw, reader: Reads) -> syntax.Name | None:
    """The parameter below a nabla."""
    if not isinstance(head, Scripted):
        return None
    if len(head.scripts) == 1 and not head.scripts[0].raised:
        (script,) = head.scripts
        if len(script.items) == 1 and shapes.is_symbol(script.items[0]):
            named = sort_scripts(script.items[0], reader.evidence)
            if not named.raised:
                return settle(named, reader.evidence)[1]
    raise refuse("latex-gradient", "this gradient is not understood", head.span)


def _require_data(raw: Raw) -> None:
    """The data of a loss: a letter, perhaps with the numbers of its examples."""
    base = shapes.unscripted(raw)
    plain = isinstance(base, Symbol) and base.kind != "word"
    scripts = raw.scripts if isinstance(raw, Scripted) else ()
    numbered = all(len(script.items) == 1 and _numbers_examples(script) for script in scripts)
    if not (plain and numbered and len(scripts) < 2):
        message = "expected the loss's data, such as `x^{(i)}`"
        raise refuse("latex-gradient", message, raw.span)


def _numbers_examples(script: Script) -> bool:
    """`x^{(i)}`, `x^{(i:i+n)}`, `x_i` and `x_t`."""
    item = script.items[0]
    if not script.raised:
        return shapes.time_of(item) is not None or bool(shapes.components_of(item))
    match item:
        case Group("(", (inner,)):
            return isinstance(inner, Slice) or bool(shapes.components_of(inner))
    return False


def _require_within(subject: syntax.Name, point: syntax.Expression, span: Span) -> None:
    """A gradient with respect to theta is taken at a point made of theta."""
    for node in trees.within(point):
        same_time = not subject.indices or getattr(node, "indices", None) == subject.indices
        if isinstance(node, syntax.Name) and node.name == subject.name and same_time:
            return
    message = f"the point of this gradient does not hold `{subject.name}`"
    raise refuse("latex-gradient", message, span)
