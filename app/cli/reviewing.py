"""`luoshu review`: a joint review as people read it, and what they do with it."""

from collections.abc import Iterator
from typing import Any

import click

from app.cli.actions import action_command
from app.cli.failures import Failure
from app.cli.output import choice, day, indented, table
from app.cli.session import Command, session
from luoshu.coordination.v1 import coordination_pb2 as pb

ACTIONS = {"opine": "opine", "confirm": "confirm-condition"}
OPINIONS = (
    "department 部门",
    "answer 意见",
    "due 截止",
    "answered 答复",
    "by 经办",
    "text 说明",
    "concerns 涉及",
)
CONDITIONS = ("no. 序号", "department 部门", "condition 条件", "met 落实", "evidence 依据")
LAPSES = ("lapsed 失效", "department 部门", "answer 原意见", "fields 变更内容", "revision 版本")


class Reviews(click.Group):
    """Opinions and confirmations are the lifecycle's own actions, under the words that people use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *ACTIONS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in ACTIONS:
            return own
        command = action_command(ACTIONS[cmd_name])
        if command is not None:
            command.shown = print_review
        return command


@click.group("review", cls=Reviews)
def review() -> None:
    """Joint reviews: show one, give an opinion, confirm a condition. 会签：查看、答复、确认条件。"""


@review.command("show", cls=Command)
@click.argument("name")
@click.pass_context
def show(ctx: click.Context, name: str) -> None:
    """Show a review: who was asked, who answered what, conditions, opinions that lapsed."""
    if "/" not in name:
        name = f"reviews/{name}"
    if not name.startswith("reviews/"):
        raise Failure(
            f"{name!r} is no review; see `luoshu inbox`", f"{name!r} 不是会签；见 luoshu inbox"
        )
    found = session(ctx).client.coordination.GetReview(pb.GetReviewRequest(name=name))
    print_review(ctx, found)


def print_review(ctx: click.Context, found: Any) -> None:
    """Print a review as people read it, or as the session wants it."""
    if session(ctx).output == "json":
        click.echo(indented(found))
        return
    _head(found)
    for headings, rows in _tables(found):
        if rows:
            click.echo()
            table(headings, rows)
    if found.allowed_actions:
        click.echo(f"\nallowed · 可执行: {', '.join(found.allowed_actions)}")


def _head(review: Any) -> None:
    of = review.DESCRIPTOR.fields_by_name
    kind, state = choice(of["kind"], review.kind), choice(of["state"], review.state)
    outcome = f"  outcome · 结果 {choice(of['outcome'], review.outcome)}" if review.outcome else ""
    click.echo(f"{review.name}  {kind}  {state}{outcome}")
    click.echo(f"{review.title}  ({review.subject}, revision · 版本 {review.basis_revision})")
    asked = f"round · 轮次 {review.round or 1}  opened · 发起 {day(review.open_date)}"
    ended = f"  ended · 办结 {day(review.conclude_date)}" if review.conclude_date.year else ""
    click.echo(f"lead · 牵头 {review.lead_department}  {asked}{ended}  rule · 规则 {review.rule}")
    if review.pauses and not review.pauses[-1].last_date.year:
        click.echo(f"paused since · 计时暂停自 {day(review.pauses[-1].first_date)}")


def _tables(review: Any) -> Iterator[tuple[Any, list[list[str]]]]:
    yield OPINIONS, [_opinion(opinion) for opinion in review.opinions]
    yield (
        CONDITIONS,
        [[str(c.number), c.department, c.text, _met(c), c.evidence] for c in review.conditions],
    )
    yield (
        LAPSES,
        [
            [
                day(one.date),
                one.opinion.department,
                answer(one.opinion),
                ", ".join(one.fields),
                str(one.subject_revision),
            ]
            for one in review.lapses
        ],
    )


def _met(condition: Any) -> str:
    if condition.lapse_date.year:
        return f"fell away · 失效 {day(condition.lapse_date)}"
    return day(condition.confirm_date) or "open · 未落实"


def _opinion(opinion: Any) -> list[str]:
    due = opinion.deputy_due_date if opinion.escalate_date.year else opinion.due_date
    by = opinion.actor or (opinion.deputy and f"→ {opinion.deputy}")
    answered = "" if not opinion.answer_date.year else day(opinion.answer_date)
    return [
        opinion.department,
        answer(opinion),
        day(due),
        answered,
        by,
        opinion.text,
        ", ".join(opinion.concerns),
    ]


def answer(opinion: Any) -> str:
    """Return what a department said, or that it did not."""
    if opinion.silent:
        return "no answer · 逾期未答复"
    said = choice(opinion.DESCRIPTOR.fields_by_name["verdict"], opinion.verdict)
    how = " (deemed · 视为)" if opinion.deemed else " (carried · 沿用)" if opinion.carried else ""
    return said + how if opinion.verdict else "asked · 待答复"
