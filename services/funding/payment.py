"""Payments: of an instalment, on a day, by a voucher; the rules have to hold when it is made and when it is recorded."""

import datetime

from kernel.case import Case
from kernel.dates import from_date
from kernel.errors import Invalid, NotFound, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding import eligibility, money
from services.funding.checks import Stage
from services.funding.contract import demand_milestone
from services.funding.rules import in_order, past_day, room

RECORD_DAYS = "payment-record-working-days"
"""Id of the pack's rule."""
MOST_PAYMENTS = 20  # of one instalment, before its last


def pay_instalment(
    application: pb.Application, command: pb.PayInstalmentApplicationRequest, case: Case
) -> None:
    """Record a payment. Raises NotFound, Refused for too much or a voucher used before."""
    instalment = _instalment(application, command.number)
    demand_milestone(application, instalment)
    _demand_new_voucher(application, command.voucher)
    paid = past_day(command.paid_date, "paid_date", case)
    _demand_recent(paid, case)
    for day in sorted({paid, case.today}):
        eligibility.demand(application, Stage.PAYMENT, case, day=day)
    in_order(application.contract.date, from_date(paid), "paid_date")
    money.pay(application, instalment, command.amount_fen, case)
    if instalment.voucher:
        room(instalment.earlier_vouchers, MOST_PAYMENTS, "earlier_vouchers", "凭证")
        instalment.earlier_vouchers.append(instalment.voucher)
    instalment.voucher = command.voucher
    instalment.paid_date.CopyFrom(from_date(paid))


def _demand_recent(paid: datetime.date, case: Case) -> None:
    """A payment is recorded while what stood on its day can still be seen. Raises Invalid; today where the pack has no rule."""
    first = case.today
    if RECORD_DAYS in case.pack.rules:
        days = case.pack.rules.get(RECORD_DAYS, case.today).value
        first = case.pack.add_working_days(case.today, -days).date
    if paid < first:
        raise Invalid(
            f"{paid} is too long ago to record a payment of it; the earliest is {first}",
            f"{paid}已超过拨款登记期限；最早为{first}",
            field="paid_date",
            reason="PAID_TOO_LONG_AGO",
        )


def _instalment(application: pb.Application, number: int) -> pb.Instalment:
    for instalment in application.instalments:
        if instalment.number == number:
            return instalment
    raise NotFound(
        f"there is no instalment {number}; the contract has {len(application.instalments)}",
        f"没有第{number}期拨款；任务书共{len(application.instalments)}期",
        field="number",
    )


def _demand_new_voucher(application: pb.Application, voucher: str) -> None:
    if any(voucher in (one.voucher, *one.earlier_vouchers) for one in application.instalments):
        raise Refused(
            f"voucher {voucher} is on record for this award; a payment is entered once",
            f"凭证{voucher}已登记；同一笔付款只登记一次",
            field="voucher",
            reason="VOUCHER_USED",
        )
