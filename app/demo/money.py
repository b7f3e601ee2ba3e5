"""What funding and coordination say of the story: where the money is, why an award may be paid, what is alike."""

from app.cli.output import choice
from app.demo.lives.funding import AWARD
from app.demo.telling import Teller
from luoshu.client import Client
from luoshu.coordination.v1 import findings_pb2
from luoshu.funding.v1 import funding_pb2

DEPARTMENT = "DIIT"
SIGNS = {
    funding_pb2.RULE_OUTCOME_PASSED: "✓",
    funding_pb2.RULE_OUTCOME_FAILED: "✗",
    funding_pb2.RULE_OUTCOME_OVERRIDDEN: "!",
}
FEN_A_YUAN = 100


def show_money(client: Client, tell: Teller) -> None:
    """Show a statement, an explanation of eligibility, and what the search for duplicates found."""
    tell.heading("资金、资格与查重", "money, eligibility, duplicates")
    tell.done(_statement(client))
    asked = funding_pb2.CheckEligibilityRequest(name=AWARD)
    asked.stage = funding_pb2.ELIGIBILITY_STAGE_PAYMENT
    for finding in client.funding.CheckEligibility(asked).findings:
        if finding.outcome in SIGNS:
            sign = SIGNS[finding.outcome]
            tell.say(f"{sign} {finding.title_zh}：{finding.text_zh}", finding.text_en)
    tell.done(_alike(client))


def _statement(client: Client) -> str:
    request = funding_pb2.GetStatementRequest(department=DEPARTMENT, page_size=1)
    stated = client.funding.GetStatement(request)
    total = stated.total
    return (
        f"{DEPARTMENT} 立项 awarded {_yuan(total.awarded_fen)} = 已拨 paid {_yuan(total.paid_fen)}"
        f" + 未拨 remaining {_yuan(total.remaining_fen)} 元 CNY（{stated.award_count} 项）"
    )


def _alike(client: Client) -> str:
    request = findings_pb2.ListFindingsRequest(page_size=1, order_by="update_time desc")
    found = client.coordination.ListFindings(request).findings
    if not found:
        return "查重：未发现相似项目 no two awards are alike"
    finding = found[0]
    state = choice(finding.DESCRIPTOR.fields_by_name["state"], finding.state)
    return (
        f"{finding.name} {state}：{finding.title[:40]}… ≈ {finding.candidate.title[:40]}… "
        f"{finding.candidate.score}‰"
    )


def _yuan(fen: int) -> str:
    return f"{fen // FEN_A_YUAN:,}.{fen % FEN_A_YUAN:02d}"
