"""Money under any order of actions: never over a ceiling, never more or less than the parts."""

from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kernel.dates import ONE_DAY
from kernel.errors import DomainError
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.money import awarded, committed, remaining, unpaid
from tests.unit.fake_case import TODAY
from tests.unit.funding_world import PROGRAMME_NAME, YEAR, World, application, call, programme

NUMBERS = range(1, 5)
OVER = st.integers(min_value=-60, max_value=1)  # fen: over what is left, or under it
CEILINGS = st.integers(min_value=0, max_value=300)  # fen
NAMES = st.sampled_from([f"applications/a{number}" for number in NUMBERS])
PLAIN = (
    "start",
    "submit_for_acceptance",
    "conclude_acceptance",
    "evaluate",
    "close",
    "suspend",
    "resume",
)


class Money(RuleBasedStateMachine):
    """Four applications of 100 fen each wait for an award; whoever may act does."""

    @initialize(ceiling=CEILINGS)
    def open(self, ceiling: int) -> None:
        limit = pb.Ceiling(year=YEAR, ceiling_fen=ceiling)
        self.world = World().put(programme(ceilings=[limit]), call())
        for number in NUMBERS:
            given = application(number, fen=100)
            self.world.put(given).walk(given.name, "publish_notice")
        self.world.today = TODAY + ONE_DAY * 8
        self.vouchers = 0

    def attempt(self, name: str, action: str, **said: Any) -> None:
        """Act; a refusal is an answer too, and changes nothing."""
        with suppress(DomainError):
            self.world.do(name, action, **said)

    @rule(name=NAMES, over=OVER)
    def approve(self, name: str, over: int) -> None:
        record = self.world.records[PROGRAMME_NAME]
        left = record.ceilings[0].ceiling_fen - committed(record, YEAR)
        self.attempt(name, "approve", approved_fen=max(1, min(left, 100) + over))

    @rule(name=NAMES, parts=st.integers(min_value=1, max_value=3), off=st.integers(0, 1))
    def sign(self, name: str, parts: int, off: int) -> None:
        whole = self.world.records[name].approved_fen
        amounts = [whole // parts] * (parts - 1)
        amounts.append(whole - sum(amounts) + off)
        plan = [pb.Instalment(number=n, amount_fen=fen) for n, fen in enumerate(amounts, 1)]
        budget = [pb.BudgetLine(category="设备费", amount_fen=whole)]
        self.attempt(name, "sign_contract", instalments=plan, budget=budget)

    @rule(name=NAMES, number=st.integers(min_value=1, max_value=3), over=OVER)
    def pay(self, name: str, number: int, over: int) -> None:
        self.vouchers += 1
        left = sum(unpaid(i) for i in self.world.records[name].instalments if i.number == number)
        said = {
            "number": number,
            "amount_fen": max(1, left + over),
            "voucher": f"V-{self.vouchers}",
        }
        self.attempt(name, "pay_instalment", **said)

    @rule(name=NAMES, over=OVER, ending=st.sampled_from(["terminate", "revoke"]))
    def end_and_recover(self, name: str, over: int, ending: str) -> None:
        record = self.world.records[name]
        left = record.paid_fen - record.recovered_fen
        self.attempt(name, ending)
        self.attempt(name, "recover", amount_fen=max(1, left + over))

    @rule(fen=CEILINGS)
    def set_ceiling(self, fen: int) -> None:
        self.attempt(PROGRAMME_NAME, "set_ceiling", ceiling_fen=fen)

    @rule(name=NAMES | st.just(PROGRAMME_NAME), action=st.sampled_from(PLAIN))
    def move(self, name: str, action: str) -> None:
        owner = "suspend resume" if name == PROGRAMME_NAME else " ".join(PLAIN[:-2])
        if action in owner.split():
            self.attempt(name, action)

    @property
    def awards(self) -> list[pb.Application]:
        return [self.world.records[f"applications/a{number}"] for number in NUMBERS]

    @invariant()
    def an_award_is_what_is_paid_and_what_remains(self) -> None:
        for award in self.awards:
            assert awarded(award) == award.paid_fen + remaining(award) == award.committed_fen
            assert award.paid_fen == sum(i.paid_fen for i in award.instalments)
            assert 0 <= award.recovered_fen <= award.paid_fen <= award.approved_fen <= 100
            assert remaining(award) >= 0

    @invariant()
    def a_programme_commits_what_its_awards_come_to_and_never_more_than_its_ceiling(self) -> None:
        record = self.world.records[PROGRAMME_NAME]
        entry = record.commitments[0] if record.commitments else pb.Commitment()
        assert entry.committed_fen == sum(awarded(award) for award in self.awards)
        assert entry.paid_fen == sum(award.paid_fen for award in self.awards)
        assert entry.recovered_fen == sum(award.recovered_fen for award in self.awards)
        assert entry.paid_fen <= entry.committed_fen <= record.ceilings[0].ceiling_fen


Money.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestMoneyUnderAnyOrderOfActions = Money.TestCase
