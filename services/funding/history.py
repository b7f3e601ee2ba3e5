"""An imported application: only what would corrupt is refused, nothing is demanded."""

from kernel.case import Case
from kernel.errors import Invalid
from kernel.units import check_code
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.rules import yuan


def check_history(application: pb.Application, case: Case) -> None:
    """Fill what follows, hold the amounts together. Raises Invalid, NotFound for its call."""
    _follow_call(application, case)
    for index, unit in enumerate((application.applicant_unit, *application.consortium)):
        if unit.code:
            check_code(
                unit.code, f"consortium[{index - 1}].code" if index else "applicant_unit.code"
            )
    application.committed_fen = 0  # no ceiling here was asked for it
    if application.HasField("joint_review"):  # nor any department here
        application.joint_review.ClearField("asked_revision")
        application.joint_review.ClearField("judged_revision")
    _sum_up(application)
    _check_sums(application)


def _follow_call(application: pb.Application, case: Case) -> None:
    if application.call:
        call = case.get(application.call)
        application.programme = application.programme or call.programme
        application.year = application.year or call.year
    if application.programme:
        lead = case.get(application.programme).lead_department
        application.lead_department = application.lead_department or lead


def _sum_up(application: pb.Application) -> None:
    """Instalments, where the source has them, say what was paid and released."""
    if application.instalments:
        application.paid_fen = sum(i.paid_fen for i in application.instalments)
        application.released_fen = sum(i.released_fen for i in application.instalments)


def _check_sums(application: pb.Application) -> None:
    planned = sum(i.amount_fen for i in application.instalments)
    if application.instalments and planned != application.approved_fen:
        _differ("instalments", planned, application.approved_fen)
    for instalment in application.instalments:
        if instalment.paid_fen + instalment.released_fen > instalment.amount_fen:
            _differ("instalments", instalment.paid_fen, instalment.amount_fen)
    if application.paid_fen + application.released_fen > application.approved_fen:
        _differ("paid_fen", application.paid_fen, application.approved_fen)
    if application.recovered_fen > application.paid_fen:
        _differ("recovered_fen", application.recovered_fen, application.paid_fen)


def _differ(field: str, have: int, want: int) -> None:
    raise Invalid(
        f"{field}: {yuan(have)} does not agree with {yuan(want)}; correct the row's amounts",
        f"{field}：{yuan(have)}与{yuan(want)}不符；请更正金额",
        field=field,
        reason="SUM_DIFFERS",
    )
