"""Whether the model will be there for long: asked once an execution, before the first batch."""

from datetime import UTC, datetime, timedelta

from nightshift.deployment import Deployment
from nightshift.errors import ClaudeRejected, ClaudeUnavailable
from nightshift.observability import logger

# Claude promises at least as much notice before it retires a model (model deprecations, 2026-08).
_SOON = timedelta(days=60)


def model_notice(stack: Deployment) -> str:
    """A notice for people if the model retires soon; empty if not, or if Claude did not answer.

    Raises:
        ClaudeRejected: the model is retired, Claude does not know it, or it does not take the
            schema that the task asks for.
    """
    name = stack.settings.model
    try:
        model = stack.claude.model(name)
    except (ClaudeRejected, ClaudeUnavailable) as error:
        logger.warning("the model's lifecycle is unknown", why=type(error).__name__)
        return ""
    if model is None:
        raise ClaudeRejected(f"Claude does not know the model {name!r}. {_CHANGE}")
    if model.retired:
        raise ClaudeRejected(f"Claude has retired {name}. {_CHANGE}")
    if stack.task.contract.schema is not None and not model.takes_schemas:
        raise ClaudeRejected(
            f"{name} takes no structured outputs, and the task {stack.task.name} needs them. "
            f"{_CHANGE}"
        )
    if model.retires_at is None or model.retires_at - datetime.now(UTC) > _SOON:
        return ""
    return f"Claude retires {name} on {model.retires_at:%Y-%m-%d}. {_CHANGE}"


_CHANGE = "Set the stack's Model to another one and deploy."
