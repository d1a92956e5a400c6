"""The users: they submit, look, cancel, pay and listen, patiently or not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.handlers.calls import event
from tests.simulation.audited_books import CHOSEN_SEED
from tests.simulation.calls import FUNCTION_OF, NOTHING, Seen, read, request
from tests.simulation.gateway import Customer, Truth
from tests.simulation.model import POISON
from tests.simulation.run_parts import Parts
from tests.simulation.schedule import US

PROMPTS = ("a lighthouse at dawn", "a heron in the rain")
PACKAGES = ("small", "large")


@dataclass
class Person:
    """Somebody with an account, and all that their tabs know."""

    user_id: str
    submits: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Each key with the body that it was first sent with."""
    jobs: list[str] = field(default_factory=list)
    payments: list[str] = field(default_factory=list)
    purchases: list[tuple[str, str]] = field(default_factory=list)
    """Each key with the package that it was first sent with."""
    sockets: list[str] = field(default_factory=list)


class Tab:
    """One browser tab of a person: it does one thing after another."""

    def __init__(self, person: Person, others: list[Person], parts: Parts) -> None:
        self._person = person
        self._others = others
        self._parts = parts
        self._tape = parts.tape
        self._versions: dict[str, int] = {}

    def live(self) -> None:
        """Do some things, with pauses, until it becomes calm."""
        for _thing in range(self._tape.between(4, 30)):
            self._parts.schedule.sleep_us(self._pause_us())
            if self._parts.weather.calm:
                return
            self._tape.pick(self._things())()

    def _pause_us(self) -> int:
        """Mostly some seconds, sometimes next to nothing, sometimes minutes."""
        if self._parts.weather.crowded:
            return self._tape.between(1, 3000) * 1000
        match self._tape.choose(6):
            case 0 | 1:
                return self._tape.between(1, 30) * US
            case 2 | 3:
                return self._tape.between(1, 900) * 1000
            case _:
                return self._tape.between(10, 240) * US

    def _things(self) -> list[Any]:
        on = self._parts.weather.on
        things = [self._submit, self._submit, self._look]
        if "rushes" in on:
            things += [self._rush, self._rush]
        if "repeats" in on:
            things += [self._repeat, self._repeat, self._misuse_key]
        if "cancels" in on:
            things += [self._cancel]
        if "looks" in on:
            things += [self._list, self._me, self._ledger]
        if "looks" in on and self._others:
            things += [self._look_around]
        if "pays" in on:
            things += [self._buy, self._look_at_payment]
        if "listens" in on:
            things += [self._listen, self._refresh]
        return things

    def _call(self, name: str, **asked: Any) -> Seen:
        """A request and what comes back, if the network brings it."""
        sent = request(name, user_id=self._person.user_id, **asked)
        seen = read(self._parts.world.invoke(FUNCTION_OF[name], sent))
        self._parts.answers.answered(self._person.user_id, name, seen)
        self._parts.note(f"{name} is answered {seen.status}")
        return NOTHING if self._parts.weather.happens("answer lost") else seen

    def _submit(self) -> None:
        """A new job."""
        key = f"key-{len(self._person.submits)}"
        body: dict[str, Any] = {"prompt": self._tape.pick(PROMPTS)}
        if self._parts.weather.poisons and self._tape.choose(4) == 3:
            self._parts.weather.poisons -= 1
            body["prompt"] = POISON
        if len(self._parts.models) > 1 and self._tape.choose(2):
            body["model"] = self._parts.models[1]
        if self._tape.choose(4):
            body["allow_cached"] = True
        if self._tape.choose(4) == 3:
            body["seed"] = CHOSEN_SEED
        self._person.submits.append((key, body))
        self._send(key, body)

    def _rush(self) -> None:
        """Several new jobs, one right after the other."""
        for _job in range(self._tape.between(1, 6)):
            self._submit()

    def _repeat(self) -> None:
        """The same submit as before, from whichever tab."""
        if self._person.submits:
            self._send(*self._tape.pick(self._person.submits))

    def _misuse_key(self) -> None:
        """Another submit under an old key."""
        if self._person.submits:
            key, body = self._tape.pick(self._person.submits)
            self._send(key, {**body, "prompt": "something else"})

    def _send(self, key: str, body: dict[str, Any]) -> None:
        """Submit, and after an error again, as a client does."""
        user_id, text = self._person.user_id, json.dumps(body)
        for _try in range(3):
            headers = {"idempotency-key": key}
            if self._tape.choose(8) == 7:
                headers["prefer"] = "wait=2"
            self._parts.answers.submitting(user_id, key, text)
            seen = self._call("post_jobs", body=body, headers=headers)
            if seen is not NOTHING:
                self._parts.answers.submitted(user_id, key, text, seen)
            if seen.status == 202:
                self._know(self._person.jobs, seen.json["job_id"])
            if seen.status < 500 or self._tape.choose(3) == 0:
                return
            self._parts.schedule.sleep_us(self._tape.between(0, 4) * US)

    def _look(self) -> None:
        """At a job of one's own: what was seen once is never undone."""
        if not self._person.jobs:
            return
        job_id = self._tape.pick(self._person.jobs)
        seen = self._call("get_job", path=("job_id", job_id))
        if seen.status == 404:
            self._parts.auditor.violate("lost", f"{job_id[:8]} was accepted and is not found")
        if seen.status == 200:
            version = seen.json["version"]
            if version < self._versions.get(job_id, 0):
                self._parts.auditor.violate("job", f"{job_id[:8]} is seen at an older version")
            self._versions[job_id] = version

    def _cancel(self) -> None:
        if not self._person.jobs:
            return
        job_id = self._tape.pick(self._person.jobs)
        seen = self._call("delete_job", path=("job_id", job_id))
        if seen.status == 200 and self._parts.status_of(job_id) != "canceled":
            self._parts.auditor.violate("job", f"{job_id[:8]} was said to be canceled")

    def _look_around(self) -> None:
        """At what is somebody else's, and try to cancel it."""
        other = self._tape.pick(self._others)
        for name, parameter, known in (
            ("get_job", "job_id", other.jobs),
            ("delete_job", "job_id", other.jobs),
            ("get_payment", "txn_ref", other.payments),
        ):
            if known and self._tape.choose(2):
                seen = self._call(name, path=(parameter, self._tape.pick(known)))
                if seen.status < 400:
                    self._parts.auditor.violate("privacy", f"{name} of another's: {seen.status}")

    def _list(self) -> None:
        self._call(self._tape.pick(("get_jobs", "get_payments")))

    def _me(self) -> None:
        seen = self._call("get_me")
        if seen.status == 200:
            self._parts.answers.balance_shown(self._person.user_id, seen.json["balance"])

    def _ledger(self) -> None:
        seen = self._call("get_ledger")
        # What there was after older ones is reckoned, and two at once may be in another order.
        for entry in seen.json["entries"][:1] if seen.status == 200 else ():
            self._parts.answers.balance_shown(self._person.user_id, entry["balance_after"])

    def _buy(self) -> None:
        """Begin a payment, or the same once more, and perhaps go and pay."""
        if self._person.purchases and self._tape.choose(3) == 2:
            key, package = self._tape.pick(self._person.purchases)
        else:
            key, package = f"buy-{len(self._person.purchases)}", self._tape.pick(PACKAGES)
            self._person.purchases.append((key, package))
        headers = {"idempotency-key": key}
        seen = self._call("post_payments", body={"package": package}, headers=headers)
        if seen.status != 201 or seen.json["urls"]["pay"] is None:
            return
        txn_ref = seen.json["txn_ref"]
        self._know(self._person.payments, txn_ref)
        if txn_ref not in self._parts.world.vnpay.truths:
            self._go_and_pay(Truth(txn_ref, seen.json["amount_vnd"]))

    def _go_and_pay(self, truth: Truth) -> None:
        self._parts.world.vnpay.truths[truth.txn_ref] = truth
        customer = Customer(
            truth,
            tape=self._tape,
            schedule=self._parts.schedule,
            begin=self._parts.errand,
            notify=self._parts.notify,
            come_back=self._parts.come_back,
        )
        self._parts.errand(f"{self._person.user_id} at VNPAY", customer.pay)

    def _look_at_payment(self) -> None:
        if self._person.payments:
            self._call("get_payment", path=("txn_ref", self._tape.pick(self._person.payments)))

    def _listen(self) -> None:
        """Fetch a ticket and connect with it, sometimes twice with the same one."""
        seen = self._call("post_tickets")
        if seen.status != 201:
            return
        ticket = seen.json["ticket"]
        opened = 0
        for _connection in range(self._tape.pick((1, 1, 2))):
            connection_id = self._parts.new_socket(self._person.user_id)
            sent = event("socket_connect")
            sent["requestContext"]["connectionId"] = connection_id
            sent["queryStringParameters"] = {"ticket": ticket}
            answer = self._parts.world.invoke("feed", sent)
            if answer is not None and answer["statusCode"] == 200:
                opened += 1
                self._person.sockets.append(connection_id)
        if opened > 1:
            self._parts.auditor.violate("ticket", "one ticket has opened two sockets")
        self._refresh()

    def _refresh(self) -> None:
        if not self._person.sockets:
            return
        sent = event("socket_message")
        sent["requestContext"]["connectionId"] = self._tape.pick(self._person.sockets)
        self._parts.world.invoke("feed", sent)

    @staticmethod
    def _know(known: list[str], name: str) -> None:
        if name not in known:
            known.append(name)
