"""IPN queries by those who would like credits: random, forged, tampered with, replayed, absurd.

Each can be put after the `?` of a request line as it is: visible ASCII, at most `QUERY_CHARS` long.
Some are rightly signed, as VNPAY itself may send strange things, or old ones; but none of them says
that a payment which is not credited yet was paid as agreed. So none may ever credit anything.
"""

from __future__ import annotations

import hashlib
import hmac
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from urllib.parse import quote, quote_plus

from common.vnpay import Merchant
from tests.vnpay_by_hand import FAILED, SUSPECT, UNFINISHED, Owed, fields_of, said_by_vnpay
from tests.vnpay_signed import signed_query

QUERY_CHARS = 8000
"""API Gateway takes no request line that is much longer."""
VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "#")
HEX = string.hexdigits
STRANGE = [
    "",
    "\x00",
    " ",
    "0",
    "-1",
    "null",
    "NaN",
    "1e9",
    "' OR '1'='1",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "%00%0a",
    "\r\nX-Injected: yes",
    "{{7*7}}",
    "\u202e\ufeff\U0001f4b0",
    "\uff10\uff11",
    "a" * 300,
]
CODES = [*(f"{number:02}" for number in range(22)), "24", "51", "65", "75", "79", "99", "000", "0"]
TOLD_REMEMBERED = 200


@dataclass
class Enemy:
    """Who knows what a customer knows: references, prices, our merchant code, and old IPNs."""

    rng: Random
    merchant: Merchant
    payments: Sequence[Owed]
    told: list[str] = field(default_factory=list)

    @property
    def secret(self) -> str:
        return self.merchant.hash_secret.get_secret_value()

    def payment(self) -> Owed:
        return self.rng.choice(self.payments)

    def paid(self, **said: str | None) -> dict[str, str]:
        """What VNPAY would say if a payment were paid."""
        return fields_of(self.payment(), self.merchant, **said)

    def text(self, letters: str, longest: int) -> str:
        return "".join(self.rng.choices(letters, k=self.rng.randint(0, longest)))

    def strange(self) -> str:
        return self.rng.choice(STRANGE)


Family = Callable[[Enemy], str]


def nothing(_enemy: Enemy) -> str:
    return ""


def noise(enemy: Enemy) -> str:
    letters = enemy.rng.choice([VISIBLE, "&=%+;", "&=vnp_%0", HEX + "%&="])
    return enemy.text(letters, enemy.rng.choice([5, 50, 500]))


def random_bytes(enemy: Enemy) -> str:
    content = enemy.rng.randbytes(enemy.rng.randint(1, 200))
    named = enemy.rng.choice(["", "vnp_TxnRef=", "vnp_SecureHash=", "vnp_%ff="])
    return named + quote(content)


def without_a_hash(enemy: Enemy) -> str:
    query = signed_query(enemy.paid(), enemy.secret).rpartition("&vnp_SecureHash=")[0]
    return query + enemy.rng.choice(
        ["", "&vnp_SecureHash", "&vnp_SecureHash=", "&vnp_SecureHash=0"]
    )


def with_any_hash(enemy: Enemy) -> str:
    query = without_a_hash(enemy).partition("&vnp_SecureHash")[0]
    given = enemy.rng.choice(
        ["0" * 128, enemy.text(HEX, 300), "".join(enemy.rng.choices(HEX, k=128)), "g" * 128]
    )
    return f"{query}&vnp_SecureHash={given}"


def under_another_secret(enemy: Enemy) -> str:
    secret = enemy.secret
    others = [
        "",
        secret[:-1],
        secret.lower() + " ",
        secret[::-1] + "0",
        enemy.merchant.tmn_code,
        "None",
        enemy.text(HEX, 64) + "x",
    ]
    return signed_query(enemy.paid(), enemy.rng.choice(others))


def by_another_way_of_signing(enemy: Enemy) -> str:
    """Older hashes, hashes without a key, and hashes of other texts than the one to be signed."""
    fields = enemy.paid()
    query = signed_query(fields, enemy.secret).rpartition("&vnp_SecureHash=")[0]
    key = enemy.secret.encode()
    raw = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    joined = "|".join(fields.values())
    texts = [raw + "&", joined, query[::-1], query.upper(), query + "&vnp_SecureHash="]
    text = enemy.rng.choice(texts).encode()
    hashes = [
        hmac.new(key, query.encode(), hashlib.sha256).hexdigest(),
        hmac.new(key, query.encode(), hashlib.md5).hexdigest(),
        hmac.new(query.encode(), key, hashlib.sha512).hexdigest(),
        hashlib.sha512(key + query.encode()).hexdigest(),
        hashlib.sha512(query.encode()).hexdigest(),
        hmac.new(key, text, hashlib.sha512).hexdigest(),
    ]
    kind = enemy.rng.choice(["", "&vnp_SecureHashType=SHA256", "&vnp_SecureHashType=MD5"])
    return f"{query}{kind}&vnp_SecureHash={enemy.rng.choice(hashes)}"


def mutated(enemy: Enemy) -> str:
    """A true IPN with some letters changed, lost, added or exchanged."""
    letters = list(signed_query(enemy.paid(), enemy.secret))
    for _change in range(enemy.rng.choice([1, 1, 1, 2, 5, 20])):
        place = enemy.rng.randrange(len(letters))
        match enemy.rng.randrange(4):
            case 0:
                letters[place] = enemy.rng.choice(VISIBLE)
            case 1:
                letters.pop(place)
            case 2:
                letters.insert(place, enemy.rng.choice(VISIBLE))
            case _:
                other = enemy.rng.randrange(len(letters))
                letters[place], letters[other] = letters[other], letters[place]
    cut = enemy.rng.choice([0, 0, 0, enemy.rng.randrange(len(letters))])
    return "".join(letters[cut:] if enemy.rng.random() < 0.5 else letters[: len(letters) - cut])


def tampered(enemy: Enemy) -> str:
    """Something else was signed than what is said: another price, person or ending."""
    fields = enemy.paid(**enemy.rng.choice([FAILED, SUSPECT, UNFINISHED, {"vnp_Amount": "100"}]))
    query = signed_query(fields, enemy.secret)
    digest = query.rpartition("=")[2]
    wanted = {**fields, **enemy.paid()}
    pairs = "&".join(f"{name}={quote_plus(value)}" for name, value in sorted(wanted.items()))
    return f"{pairs}&vnp_SecureHash={digest}"


def said_twice(enemy: Enemy) -> str:
    """Names given again, before or after those that were signed."""
    query = signed_query(enemy.paid(**enemy.rng.choice([{}, FAILED])), enemy.secret)
    name = enemy.rng.choice(
        ["vnp_Amount", "vnp_TxnRef", "vnp_ResponseCode", "vnp_TransactionStatus", "vnp_SecureHash"]
    )
    value = enemy.rng.choice(
        ["", "00", str(enemy.payment().amount_vnd * 100), enemy.payment().txn_ref]
    )
    other = enemy.rng.choice([name, f"{name}[]", name.upper(), f"{name}%00", f"%76{name[1:]}"])
    more = f"{other}={value}"
    return enemy.rng.choice([f"{more}&{query}", f"{query}&{more}", f"{query};{more}"])


def of_another_merchant(enemy: Enemy) -> str:
    code = enemy.rng.choice(["OTHERS01", enemy.merchant.tmn_code.lower() + "X", "", "0" * 8])
    secret = enemy.rng.choice([enemy.secret, "F" * 32])
    return signed_query(enemy.paid(vnp_TmnCode=enemy.rng.choice([code, None])), secret)


def huge(enemy: Enemy) -> str:
    size = enemy.rng.choice([500, 4000, 7000])
    match enemy.rng.randrange(4):
        case 0:
            return signed_query(enemy.paid(vnp_Amount="9" * size), enemy.secret)
        case 1:
            return signed_query(enemy.paid(vnp_TxnRef="IMG" + "0" * size), enemy.secret)
        case 2:
            return "&".join(f"vnp_{number}=" for number in range(size // 10))
        case _:
            return signed_query({**enemy.paid(), "vnp_" + "x" * size: "1"}, "F" * 32)


def of_no_payment(enemy: Enemy) -> str:
    """Rightly signed, about a payment that nobody has begun."""
    known = enemy.payment().txn_ref
    txn_ref = enemy.rng.choice(
        [
            enemy.strange(),
            None,
            f"IMG{enemy.rng.getrandbits(128):032x}",
            known.lower(),
            f"{known} ",
            f" {known}",
            f"{known}\x00",
            known[:-1],
        ]
    )
    return signed_query(enemy.paid(vnp_TxnRef=txn_ref), enemy.secret)


def of_another_amount(enemy: Enemy) -> str:
    """Rightly signed, paid, but not that much."""
    payment = enemy.payment()
    hundredths = payment.amount_vnd * 100
    amount = enemy.rng.choice(
        [
            str(enemy.rng.choice([hundredths - 1, hundredths + 1, hundredths - 100, 0, 100])),
            str(hundredths * 100),
            str(payment.amount_vnd),
            str(enemy.rng.randrange(10**14)),
            f"-{hundredths}",
            f"+{hundredths}",
            f" {hundredths}",
            f"{hundredths}.0",
            f"{hundredths:_}",
            f"{hundredths:,}",
            f"{hundredths:x}",
            str(hundredths).translate({0x30 + digit: 0xFF10 + digit for digit in range(10)}),
            enemy.strange(),
            None,
        ]
    )
    codes = enemy.rng.choice([{}, {}, FAILED, SUSPECT])
    fields = fields_of(payment, enemy.merchant, **{"vnp_Amount": amount, **codes})
    return signed_query(fields, enemy.secret)


def of_another_ending(enemy: Enemy) -> str:
    """Rightly signed: failed, held back, unfinished, of unknown codes, or of none."""
    code, status = (
        enemy.rng.choice([enemy.rng.choice(CODES), enemy.strange(), None]) for _two in "ab"
    )
    return signed_query(
        enemy.paid(vnp_ResponseCode=code, vnp_TransactionStatus=status), enemy.secret
    )


def with_more_fields(enemy: Enemy) -> str:
    """Rightly signed with names that nobody knows, and with others that are not signed."""
    fields = enemy.paid(**enemy.rng.choice([FAILED, SUSPECT, UNFINISHED]))
    fields[f"vnp_{enemy.text(string.ascii_letters, 20)}"] = enemy.strange()
    query = signed_query(fields, enemy.secret)
    shouted = query.rpartition("=")[2].upper()
    return enemy.rng.choice(
        [
            query,
            f"{query}&utm_source={quote_plus(enemy.strange())}",
            f"{query}&vnp_SecureHashType=HmacSHA512",
            f"{query.rpartition('=')[0]}={shouted}",
            f"{query}&vnp_Empty=",
        ]
    )


def again(enemy: Enemy) -> str:
    """What was sent before, or what VNPAY has said of a payment that is credited already."""
    credited = [payment for payment in enemy.payments if payment.paid_at is not None]
    if credited and enemy.rng.random() < 0.5:
        return signed_query(fields_of(enemy.rng.choice(credited), enemy.merchant), enemy.secret)
    return enemy.rng.choice(enemy.told) if enemy.told else ""


def encoded_otherwise(enemy: Enemy) -> str:
    """A true IPN, encoded twice, cut up, or in other alphabets."""
    query = signed_query(enemy.paid(), enemy.secret)
    return enemy.rng.choice(
        [
            quote(query),
            query.replace("=", "%3D"),
            query.replace("&", "%26"),
            query.replace("&", ";"),
            query.replace("&", "&amp;"),
            query.replace("vnp_", "%ff%fevnp_"),
            query.replace("+", "%c0%a0"),
            query.upper(),
            quote(query.encode("utf-16")),
        ]
    )


FAMILIES: tuple[Family, ...] = (
    nothing,
    noise,
    random_bytes,
    without_a_hash,
    with_any_hash,
    under_another_secret,
    by_another_way_of_signing,
    mutated,
    tampered,
    said_twice,
    of_another_merchant,
    huge,
    of_no_payment,
    of_another_amount,
    of_another_ending,
    with_more_fields,
    again,
    encoded_otherwise,
)


def hostile_queries(rng: Random, *, merchant: Merchant, payments: Sequence[Owed]) -> Iterator[str]:
    """Such queries without end, of all families.

    `payments` are those to be had for nothing, and may grow; `paid_at` tells which are credited.
    """
    enemy = Enemy(rng, merchant, payments)
    while True:
        query = rng.choice(FAMILIES)(enemy)[:QUERY_CHARS]
        assert set(query) <= set(VISIBLE)
        if _is_the_truth(query, enemy):
            continue
        enemy.told.append(query)
        del enemy.told[:-TOLD_REMEMBERED]
        yield query


def _is_the_truth(query: str, enemy: Enemy) -> bool:
    """Whether VNPAY says there that a payment which is not credited yet was paid as agreed."""
    fields = said_by_vnpay(query, enemy.merchant)
    if (
        not fields
        or not fields.get("vnp_ResponseCode") == fields.get("vnp_TransactionStatus") == "00"
    ):
        return False
    said = (fields.get("vnp_TxnRef"), fields.get("vnp_Amount", "").lstrip("0"))
    owed = (payment for payment in enemy.payments if payment.paid_at is None)
    return any(said == (payment.txn_ref, str(payment.amount_vnd * 100)) for payment in owed)
