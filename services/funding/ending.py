"""How an award ends: acceptance, evaluation, closing; or early, and the money that comes back."""

from kernel.case import Case
from kernel.dates import from_date
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding import money
from services.funding.rules import A, effective_day, end, past_day, room

MOST_RECOVERIES = 20


def submit_for_acceptance(
    application: pb.Application, command: pb.SubmitForAcceptanceApplicationRequest, case: Case
) -> None:
    """Ask for the acceptance of the work; what an earlier one found is replaced."""
    request = pb.Acceptance(report=command.report, request_date=effective_day(case))
    application.acceptance.CopyFrom(request)


def conclude_acceptance(
    application: pb.Application, command: pb.ConcludeAcceptanceApplicationRequest, case: Case
) -> int:
    """Record the acceptance, passed or failed."""
    acceptance = application.acceptance
    acceptance.result, acceptance.opinion = command.result, command.opinion
    acceptance.document_number = command.document_number
    acceptance.date.CopyFrom(effective_day(case))
    passed = command.result == pb.CHECK_RESULT_PASSED
    return A.STATE_COMPLETED if passed else A.STATE_ACCEPTANCE_FAILED


def evaluate(
    application: pb.Application, command: pb.EvaluateApplicationRequest, case: Case
) -> None:
    """Record the performance evaluation."""
    application.evaluation.grade, application.evaluation.opinion = command.grade, command.opinion
    application.evaluation.date.CopyFrom(effective_day(case))


def close(application: pb.Application, command: pb.CloseApplicationRequest, case: Case) -> None:
    """Close the award; what was not paid goes back to the programme."""
    money.release(application, case)


def terminate(
    application: pb.Application, command: pb.TerminateApplicationRequest, case: Case
) -> None:
    """End the award early; what was not paid goes back to the programme."""
    money.release(application, case)
    end(application, command.reason, command.document_number, case)


def revoke(application: pb.Application, command: pb.RevokeApplicationRequest, case: Case) -> None:
    """Revoke the award; what was not paid goes back to the programme, the rest is recovered."""
    money.release(application, case)
    end(application, command.reason, command.document_number, case)


def recover(application: pb.Application, command: pb.RecoverApplicationRequest, case: Case) -> None:
    """Record money that came back. Raises Refused for more than was paid."""
    room(application.recoveries, MOST_RECOVERIES, "recoveries", "追回")
    came = from_date(past_day(command.date, "date", case))
    money.recover(application, command.amount_fen, case)
    application.recoveries.add(amount_fen=command.amount_fen, voucher=command.voucher, date=came)
