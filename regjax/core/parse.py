"""The grammar of regularizers in flags: sums of calls such as `l1(1e-3) + group_lasso(1e-3, where='.*kernel')`.

Nothing is evaluated: the text is parsed, and only the syntax below is accepted.

    sum      = term {"+" term}
    term     = call | number "*" call | number "*" "(" sum ")"
    call     = name "(" [argument {"," argument}] ")"
    argument = [name "="] value
    value    = number | "-" number | string | None | "(" value {"," value} ")"
"""

from __future__ import annotations

import ast
import difflib
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.core.typing import Value

MAX_LENGTH = 2000

Result = TypeVar("Result")


def parse_sum(
    text: str,
    functions: Mapping[str, Callable[..., Result]],
    what: str,
    scale: Callable[[float, Result], Result] | None = None,
) -> list[Result]:
    """Parse a sum of calls, and return the results of the calls.

    Args:
      text: as `"l1(1e-3) + l2(1e-4, where='kernel')"`.
      functions: the functions that may be called, by name.
      what: kind of text, for messages: `"penalty"`.
      scale: `(factor, result) -> result`, for terms with a factor >= 0; None accepts no factors.

    Raises:
      InputError: a syntax error, an unknown name, or an argument that is not accepted, in one line.

    Example:
      >>> parse_sum("half(8) + 3 * (half(2) + 2 * half(4))", {"half": lambda a: a / 2}, "example", lambda c, x: c * x)
      [4.0, 3.0, 12.0]
      >>> parse_sum("pair(1, b=-2.5) + pair('x', (0, 1))", {"pair": lambda a, b: (a, b)}, "example")
      [(1, -2.5), ('x', (0, 1))]
    """
    pending: list[tuple[ast.expr, tuple[float, ...]]] = [(_expression(text, functions, what), ())]
    results = []
    while pending:
        node, factors = pending.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            pending += [(node.right, factors), (node.left, factors)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and scale is not None:
            pending.append((node.right, (*factors, _factor(node.left, what))))
        else:
            result = _call(node, functions, what)
            for factor in reversed(factors):
                result = scale(factor, result) if scale is not None else result
            results.append(result)
    return results


def parse_call(text: str, fields: Mapping[str, Sequence[str]], what: str) -> tuple[str, dict[str, Value]]:
    """Parse a call with named arguments, and return its name and arguments; values may also be True and False.

    Args:
      text: as `"mlp(widths=(64, 64), skip=True)"`.
      fields: accepted arguments, by the name of what may be called.
      what: kind of text, for messages.

    Raises:
      InputError: a syntax error, an unknown name, or an argument that is not accepted, in one line.

    Example:
      >>> parse_call("net(depth=2, skip=True)", {"net": ("depth", "skip")}, "model")
      ('net', {'depth': 2, 'skip': True})
    """
    node = _expression(text, fields, what)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.args:
        raise InputError(f"{what} {text!r}: write NAME(FIELD=VALUE, ...); names: {', '.join(sorted(fields))}")
    name = node.func.id
    check_choice(what, name, fields)
    arguments: dict[str, Value] = {}
    for keyword in node.keywords:
        _check_argument(what, name, keyword.arg, fields[name])
        if keyword.arg in arguments:
            raise InputError(f"{what}: {name}: {keyword.arg} is given twice")
        is_switch = isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool)
        arguments[str(keyword.arg)] = keyword.value.value if is_switch else _value(keyword.value, what)  # type: ignore[attr-defined]
    return name, arguments


def _expression(text: str, functions: Iterable[str], what: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise InputError(f"{what}: at most {MAX_LENGTH} characters, got {len(text)}")
    if not text.strip():
        raise InputError(f"{what}: the text is empty; write {_example(functions)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it cannot be parsed"
        raise InputError(f"{what} {text!r} cannot be read: {reason}; write {_example(functions)}") from None


def _check_argument(what: str, name: str, argument: str | None, accepted: Sequence[str]) -> None:
    if argument is None:
        raise InputError(f"{what}: {name}: arguments cannot be unpacked with **; write NAME=VALUE")
    if argument not in accepted:
        closest = difflib.get_close_matches(str(argument), accepted, n=1)
        hint = f" (did you mean {closest[0]!r}?)" if closest else ""
        listed = ", ".join(accepted) or "none"
        raise InputError(f"{what}: {name} takes no argument {argument!r}{hint}; accepted: {listed}")


def _call(node: ast.expr, functions: Mapping[str, Callable[..., Result]], what: str) -> Result:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise InputError(f"{what}: {_shown(node)} is not a call; write {_example(functions)}")
    name = node.func.id
    check_choice(what, name, functions)
    arguments = [_value(argument, what) for argument in node.args]
    options: dict[str, Value] = {}
    accepted = list(inspect.signature(functions[name]).parameters)
    for keyword in node.keywords:
        _check_argument(what, name, keyword.arg, accepted)
        if keyword.arg in options:
            raise InputError(f"{what}: {name}: {keyword.arg} is given twice")
        options[str(keyword.arg)] = _value(keyword.value, what)
    try:
        inspect.signature(functions[name]).bind(*arguments, **options)
    except TypeError as error:
        raise InputError(f"{what}: {name}: {error}; accepted: {', '.join(accepted)}") from None
    try:
        return functions[name](*arguments, **options)
    except ValueError as error:
        raise InputError(f"{what}: {error}") from None


def _factor(node: ast.expr, what: str) -> float:
    factor = node.value if isinstance(node, ast.Constant) else None
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 <= factor < float("inf"):
        raise InputError(f"{what}: {_shown(node)} is not a factor; write NUMBER * CALL, the number >= 0")
    return factor


def _value(node: ast.expr, what: str) -> Value:
    if isinstance(node, ast.Constant) and not isinstance(node.value, bool | bytes | complex | type(...)):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        number = _value(node.operand, what)
        if isinstance(number, int | float):
            return -number
    if isinstance(node, ast.Tuple):
        return tuple(_value(part, what) for part in node.elts)
    raise InputError(
        f"{what}: {_shown(node)} is not accepted; values are numbers, 'strings', None (True and False in models) "
        "and tuples of them"
    )


def _shown(node: ast.expr) -> str:
    try:
        text = ast.unparse(node)
    except RecursionError:
        text = "an expression as deep as this"
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _example(functions: Iterable[str]) -> str:
    return f"a sum of calls of {', '.join(sorted(functions))}"
