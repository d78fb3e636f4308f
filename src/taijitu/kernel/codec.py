"""Transitions as blocks: message, state and plan inline, links to what came before.

    {at, cause, machine, message, path, plan: {pipelines, tasks} | link, previous, seq, state}

`plan` is a link where the plan of an earlier transition goes on.

A task is `{can, with, nb}`; in a pipeline `a >> b` is `{">>": [a, b]}`, `~a` is `{"~": a}`, a
task is its index, a message to send is `{"send": {do, ...}}` and an awaited value is
`{"ucan/await": [selector, index]}`. Times are integer milliseconds. A tag or a machine version
that is not known raises `UnknownVersion`; nothing is ever guessed.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast, get_args, get_type_hints

import msgspec

from taijitu.ipld import dagcbor
from taijitu.ipld.cid import Link
from taijitu.kernel.effect import (
    Await,
    Effect,
    Message,
    Not,
    Path,
    Ref,
    Request,
    Send,
    Task,
    Then,
    tag,
)
from taijitu.kernel.failures import UnknownVersion
from taijitu.kernel.machine import Machine, State
from taijitu.kernel.plain import AS_THEY_ARE, plain
from taijitu.kernel.plan import NOTHING, Plan
from taijitu.kernel.receipt import Error, Ok, Receipt
from taijitu.kernel.record import Record
from taijitu.kernel.shape import Shape


class Transition(Record):
    """One step of one cell. `at` is ms since 1970; `cause` is the invocation, if one asked."""

    machine: Machine
    path: Path
    seq: int
    previous: Link | None
    at: int
    cause: Link | None
    message: Message | Request
    state: State
    plan: Plan | Link


def encode(step: Transition) -> bytes:
    """The block of a transition, as DAG-CBOR."""
    message = encode_message(step.message)
    message.pop("at", None)
    return dagcbor.encode_own(
        {
            "at": step.at,
            "cause": step.cause,
            "machine": [step.machine.name, step.machine.version],
            "message": message,
            "path": list(step.path),
            "plan": step.plan if isinstance(step.plan, Link) else encode_plan(step.plan),
            "previous": step.previous,
            "seq": step.seq,
            "state": plain(step.state),
        }
    )


def decode(data: bytes, machines: Mapping[str, Machine]) -> Transition:
    """Read a transition. Raises `UnknownVersion`, or `dagcbor.DecodeError` for what is no block."""
    block = dagcbor.decode(data)
    name, version = block["machine"]
    machine = machines.get(name)
    if machine is None or machine.version != version:
        raise UnknownVersion(f"this program has no machine {name} of version {version}")
    plan = block["plan"]
    return Transition(
        machine,
        tuple(block["path"]),
        block["seq"],
        block["previous"],
        block["at"],
        block["cause"],
        decode_message(machine, block["message"], block["at"]),
        _decode(machine.states, "status", block["state"]),
        plan if isinstance(plan, Link) else decode_plan(machine, plan),
    )


def encode_message(message: Message | Request) -> dict[str, Any]:
    """`{do, at, ...}`; a request as the task that it is."""
    return encode_task(message) if isinstance(message, Task) else plain(message)


def decode_message(machine: Machine, value: dict[str, Any], at: int) -> Message | Request:
    """A message as it was heard at `at`, or a request that another cell made."""
    if "can" in value:
        return cast(Request, decode_task(machine.messages, value))
    return _decode(machine.messages, "do", {**value, "at": at})


def encode_plan(plan: Plan) -> dict[str, Any]:
    shape = plan.shape
    if shape.written is None:
        shape.written = [_encode_effect(pipeline) for pipeline in shape.pipelines]
    return {"pipelines": shape.written, "tasks": [encode_task(task) for task in plan.tasks]}


def decode_plan(machine: Machine, value: dict[str, Any]) -> Plan:
    if not value["pipelines"]:
        return NOTHING
    return Plan(
        tuple([decode_task(machine.tasks, task) for task in value["tasks"]]),
        Shape(tuple([_decode_effect(pipeline) for pipeline in value["pipelines"]])),
    )


def encode_task(task: Task) -> dict[str, Any]:
    """`{can, with, nb}`. The first field of a task is its `with`."""
    can, subject, names = _parts(type(task))
    return {
        "can": can,
        "with": _encode_value(getattr(task, subject)),
        "nb": {name: _encode_value(getattr(task, name)) for name in names},
    }


def decode_task(known: Mapping[str, Any], value: dict[str, Any]) -> Task:
    kind = known.get(value["can"])
    if kind is None:
        raise UnknownVersion(f"this program has no task {value['can']!r}")
    subject, *names = kind.__struct_fields__
    types = _field_types(kind)
    fields = {name: _decode_value(types[name], value["nb"][name]) for name in names}
    return kind(**{subject: _decode_value(types[subject], value["with"])}, **fields)


def encode_receipts(receipts: Mapping[int, Receipt]) -> list[Any]:
    return [
        [index, {"ok" if isinstance(receipt, Ok) else "error": receipt.value}]
        for index, receipt in sorted(receipts.items())
    ]


def decode_receipts(value: list[Any]) -> dict[int, Receipt]:
    return {index: Ok(out["ok"]) if "ok" in out else Error(out["error"]) for index, out in value}


def _decode(known: Mapping[str, Any], label: str, value: dict[str, Any]) -> Any:
    kind = known.get(value[label])
    if kind is None:
        raise UnknownVersion(f"this program has no {label} {value[label]!r}")
    return msgspec.convert(value, kind, builtin_types=(bytes,))


def _encode_effect(effect: Effect) -> Any:
    kind = type(effect)
    if kind is Ref:
        return cast(Ref, effect).index
    if kind is Then:
        pair = cast(Then, effect)
        return {">>": [_encode_effect(pair.first), _encode_effect(pair.after)]}
    if kind is Not:
        return {"~": _encode_effect(cast(Not, effect).effect)}
    if kind is Send:
        template = cast(Send, effect)
        fields = {name: _encode_value(value) for name, value in template.fields}
        return {"send": {"do": template.message, **fields}}
    raise TypeError(f"not an effect of a plan: {effect!r}")


def _decode_effect(value: Any) -> Effect:
    match value:
        case int(index):
            return Ref(index)
        case {">>": [first, after]}:
            return Then(_decode_effect(first), _decode_effect(after))
        case {"~": inner}:
            return Not(_decode_effect(inner))
        case {"send": {"do": message, **fields}}:
            return Send(
                message,
                tuple((name, _decode_await(field)) for name, field in sorted(fields.items())),
            )
        case _:
            raise UnknownVersion(f"not an effect: {value!r}")


def _encode_value(value: Any) -> Any:
    kind = value.__class__
    if kind is Await:
        return {"ucan/await": [value.selector, value.task.index]}
    return value if kind in AS_THEY_ARE else plain(value)


def _decode_await(value: Any) -> Any:
    match value:
        case {"ucan/await": [str(selector), int(index)]}:
            return Await(Ref(index), selector)
        case _:
            return value


def _decode_value(kind: Any, value: Any) -> Any:
    decoded = _decode_await(value)
    if isinstance(decoded, Await):
        return decoded
    return msgspec.convert(value, kind, builtin_types=(bytes,))


@lru_cache(maxsize=256)
def _parts(kind: type[Task]) -> tuple[str, str, tuple[str, ...]]:
    """The ability of a task, and the names of its `with` and of its other fields."""
    subject, *names = kind.__struct_fields__
    return tag(kind), subject, tuple(names)


@lru_cache(maxsize=256)
def _field_types(kind: type[Task]) -> dict[str, Any]:
    """The type of each field, without the `Await` that it may hold instead."""
    hints = get_type_hints(kind)
    return {name: _without_await(hints[name]) for name in kind.__struct_fields__}


def _without_await(hint: Any) -> Any:
    members = [member for member in get_args(hint) if member is not Await]
    if Await not in get_args(hint):
        return hint
    union = members[0]
    for member in members[1:]:
        union = union | member
    return union
