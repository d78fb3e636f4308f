"""Plans as people read them: `storage/allocate >> ~s3/stat >> 📬 store/put`."""

from taijitu.kernel.effect import Effect, Not, Ref, Send, Task, Then, tag
from taijitu.kernel.plan import Plan

MESSAGE = "📬"


def pipelines_as_text(plan: Plan) -> tuple[str, ...]:
    """Each pipeline of a plan, in order."""
    return tuple(as_text(pipeline, plan.tasks) for pipeline in plan.pipelines)


def as_text(effect: Effect, tasks: tuple[Task, ...] = ()) -> str:
    """An effect in the notation of a machine's file. `tasks` are those of its plan."""
    match effect:
        case Ref(index):
            return as_text(tasks[index])
        case Task():
            return tag(type(effect))
        case Send(message):
            return f"{MESSAGE} {message}"
        case Not(Then() as inner):
            return f"~({as_text(inner, tasks)})"
        case Not(inner):
            return f"~{as_text(inner, tasks)}"
        case Then(first, after):
            return f"{as_text(first, tasks)} >> {as_text(after, tasks)}"
        case _:
            raise TypeError(f"not an effect: {effect!r}")
