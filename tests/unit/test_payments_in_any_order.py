"""Whatever comes in whatever order, and however often: one top-up, and books that add up."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from common.booking import book, book_refund
from common.credits import EntryKind
from common.errors import Conflict, GatewaySilent, InsufficientCredits, TooManyActiveJobs
from common.payments import ASK_GAP, News, Payment, PaymentStatus, close
from common.refunds import begin_refund
from common.vnpay import ApiAnswer
from common.vnpay_codes import Outcome
from functions.payments.book_notification import book_notification
from tests.fakes_money import api_answer
from tests.vnpay_by_hand import ipn
from tests.world import CREDITS, SMALL, World

codes = st.sampled_from(["00", "01", "02", "04", "05", "06", "07", "08", "09", "10", "20", "", "x"])
amounts = st.sampled_from([SMALL.price_vnd] * 3 + [SMALL.price_vnd - 100, 0, None])
which = st.integers(0, 1)
credits_ = st.integers(1, SMALL.credits)
WAITED_FOR = (PaymentStatus.PENDING, PaymentStatus.REFUNDING)
"""What VNPAY must be asked about, again and again, until it has said how it ended."""


class Money(RuleBasedStateMachine):
    """Two payments of one user, who also spends; a gateway that says anything; an operator."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.gateway.says["query"] = self._answer
        self.said: tuple[str, str, str] | None = None
        self.asked_at: dict[str, list[datetime]] = {}
        self.names: list[str] = []
        self.seen: dict[str, Payment] = {}
        self.refunds = 0
        self.jobs = 0

    def _answer(self, payment: Payment) -> ApiAnswer:
        self.asked_at.setdefault(payment.txn_ref, []).append(self.world.clock())
        if self.said is None:
            raise GatewaySilent("VNPAY did not answer.")
        code, kind, status = self.said
        return api_answer(
            payment, response_code=code, transaction_type=kind, transaction_status=status
        )

    @initialize()
    def begin(self) -> None:
        self.world.person()
        self.names = [self.world.buy(key=key).txn_ref for key in ("buy-1", "buy-2")]
        self.seen = {name: self.world.payment(name) for name in self.names}

    @rule(
        number=which,
        outcome=st.sampled_from(Outcome),
        amount_vnd=amounts,
        by=st.none() | st.just("eve"),
    )
    def hear(self, number: int, outcome: Outcome, amount_vnd: int | None, by: str | None) -> None:
        news = News(txn_ref=self.names[number], outcome=outcome, amount_vnd=amount_vnd, by=by)
        assert book(news, payments=self.world.payments, now=self.world.clock)

    @rule(number=which, code=codes, status=codes, times=st.integers(1, 3))
    def notify(self, number: int, code: str, status: str, times: int) -> None:
        said = {"vnp_ResponseCode": code, "vnp_TransactionStatus": status}
        query = ipn(self.world.payment(self.names[number]), **said)
        for _time in range(times):
            book_notification(
                query,
                source_ip="203.0.113.99",
                payments=self.world.payments,
                merchant=lambda: self.world.merchant,
                now=self.world.clock,
            )

    @rule(
        code=st.sampled_from(["00", "91", "94"]),
        kind=st.sampled_from(["01", "02", "03"]),
        status=codes,
    )
    def sweep(self, code: str, kind: str, status: str) -> None:
        self.said = (code, kind, status)
        self.world.sweep()

    @rule()
    def sweep_in_vain(self) -> None:
        self.said = None
        self.world.sweep()

    @rule(minutes=st.sampled_from([1, 6, 15, 60, 24 * 60]))
    def wait(self, minutes: int) -> None:
        self.world.clock.advance(minutes * 60)

    @rule(number=which, wanted=credits_)
    def refund(self, number: int, wanted: int) -> None:
        self.refunds += 1
        with suppress(Conflict, InsufficientCredits):
            begun, entry = begin_refund(
                self.world.payment(self.names[number]),
                number_of_credits=wanted,
                by="eve",
                reason="asked for",
                request_id=f"refund-{self.refunds}",
                now=self.world.clock(),
            )
            self.world.payments.save(begun, entry=entry)

    @rule(number=which, outcome=st.sampled_from(Outcome), times=st.integers(1, 2))
    def end_refund(self, number: int, outcome: Outcome, times: int) -> None:
        payment = self.world.payment(self.names[number])
        for _time in range(times):  # the second has read what the first has changed
            book_refund(payment, outcome, payments=self.world.payments, now=self.world.clock)

    @rule(number=which)
    def close(self, number: int) -> None:
        with suppress(Conflict):
            closed = close(
                self.world.payment(self.names[number]), by="eve", reason="came to nothing"
            )
            self.world.payments.save(closed)

    @rule()
    def spend(self) -> None:
        self.jobs += 1
        with suppress(InsufficientCredits, TooManyActiveJobs):
            job = self.world.submit(key=f"job-{self.jobs}")
            self.world.work_until_terminal(job.job_id)

    @invariant()
    def the_books_add_up(self) -> None:
        self.world.audit()
        bought = 0
        for name in self.seen:
            kinds = [entry.kind for entry in self.world.entries() if entry.txn_ref == name]
            assert kinds.count(EntryKind.TOP_UP) <= 1
            assert 0 <= kinds.count(EntryKind.REFUND) - kinds.count(EntryKind.REFUND_UNDONE) <= 1
            bought += SMALL.credits * kinds.count(EntryKind.TOP_UP)
        if self.seen:
            balance = self.world.tables.users["usr_ann"].balance
            assert balance.available + balance.held <= CREDITS + bought

    @invariant()
    def what_was_paid_stays_paid(self) -> None:
        """No later news, nor the want of it, takes credits away; and nothing is done unseen."""
        paid = {PaymentStatus.PAID, PaymentStatus.REFUNDING, PaymentStatus.REFUNDED}
        for name, before in self.seen.items():
            now = self.world.payment(name)
            assert now.version >= before.version
            assert (now == before) is (now.version == before.version)
            assert now.status in paid or before.status not in paid
            assert before.status is not PaymentStatus.REFUNDED or now == before
            assert now.due_at is not None or now.status not in WAITED_FOR
            self.seen[name] = now

    @invariant()
    def the_gateway_is_not_asked_too_often(self) -> None:
        for times in self.asked_at.values():
            assert all(after - before >= ASK_GAP for before, after in pairwise(times))


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=120, stateful_step_count=40)
