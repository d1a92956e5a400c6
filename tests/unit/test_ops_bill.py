"""The bill's arithmetic, on usage and prices that can be reckoned by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest

from ops.costs.bill import Bill, Part, Plan, bill
from ops.costs.prices import Price, read_prices
from ops.costs.usage import BadAssumption, Usage, read_usage

MODEL = "stability.stable-image-core-v1:1"
PLAN = Plan(
    images=1000,
    model=MODEL,
    model_seconds=9,
    log_months=2,
    snap_start=False,
    domain=False,
    routes=1,
)
ASSUMPTIONS = {
    "image_bytes": 3_000_000,
    "looks_at_image": 4,
    "months_kept": 5,
    "images_per_user": 10,
    "images_per_session": 5,
    "images_per_purchase": 20,
    "session_minutes": 6,
    "polling_share": 0.5,
    "polls": 4,
    "api_seconds": 0.1,
    "start_share": 0.1,
    "start_seconds": 2,
    "restored_seconds": 1,
    "worker_seconds": 1,
    "sweep_seconds": 0.5,
    "lambda_log_bytes": 500,
    "queue_requests_each": 2,
    "queue_polls_a_minute": 15,
    "page_bytes": 100_000,
    "page_files": 40,
    "page_share": 0.5,
}
STANDING = {
    "alarms": 28,
    "alarms_a_route": 2,
    "dashboards": 1,
    "metrics_steady": 5,
    "metrics_busy": 5,
    "metrics_busy_a_route": 3,
    "metrics_rare": 12,
    "rare_hours": 6,
    "snapshots": 5,
    "sweeps_a_minute": 1,
    "alarm_mails": 20,
}
EVENTS = {
    "session": {
        "http_requests": 6,
        "edge_requests": 6,
        "api_invocations": 10,
        "socket_messages": 5,
        "out_bytes": 60_000,
        "edge_out_bytes": 50_000,
        "log_bytes": 100,
    },
    "image": {
        "http_requests": 1,
        "api_invocations": 6,
        "worker_invocations": 1,
        "write_units": 30,
        "read_units": 9,
        "queue_requests": 1,
        "image_puts": 1,
        "log_bytes": 2_000,
        "kept_bytes": 4_000,
    },
    "look": {"http_requests": 1, "api_invocations": 1, "read_units": 2.5},
    "purchase": {"http_requests": 5, "edge_requests": 3, "api_invocations": 6, "write_units": 14},
    "sweep": {"api_invocations": 1, "read_units": 3.5, "log_bytes": 500},
}
USAGE = Usage.model_validate({"assumptions": ASSUMPTIONS, "standing": STANDING, "events": EVENTS})


def prices(free: Mapping[str, float] | None = None) -> dict[str, Price]:
    """Everything costs a dollar, and so much of it is free."""
    return {
        name: Price(
            service=price.service,
            usd=1,
            unit=price.unit,
            region="here",
            source="by hand",
            as_of=date(2026, 11, 1),
            confirmed=True,
            free=(free or {}).get(name, 0),
        )
        for name, price in read_prices().items()
    }


def quantities(of: Bill, name: str) -> dict[str, float]:
    return {line.what: line.quantity for line in of.lines if line.name == name}


@pytest.mark.parametrize(
    ("name", "what", "quantity"),
    [
        # 1,000 submits, 1,000 × 0.5 × 4 looks, 200 visits × 6, 50 purchases × 5
        ("http_requests", "requests", 1000 + 2000 + 1200 + 250),
        ("socket_messages", "messages of the feed", 200 * 5),
        ("socket_minutes", "minutes of sockets", 200 * 6),
        ("lambda_requests", "invocations", 6000 + 2000 + 2000 + 300 + 1000),
        ("lambda_seconds", "requests and pushes", 10_300 * 0.1 * 0.5),
        ("lambda_seconds", "cold starts", 10_300 * 0.1 * 2 * 0.5),
        ("lambda_seconds", "workers", 1000 * (9 + 1) * 0.5),
        ("lambda_seconds", "sweeps", 43_200 * 0.5 * 0.5),
        ("traces", "sweeps", 43_200),
        ("table_writes", "writes", 30_000 + 50 * 14),
        ("table_reads", "reads", 9_000 + 2_000 * 2.5),
        ("table_storage", "what tables keep", 1000 * 4_000 * 5 / 1e9),
        ("queue_requests", "sent, received, deleted", 3_000),
        ("queue_requests", "asking an idle queue", 15 * 43_200),
        ("image_storage_frequent", "images, first month", 3),
        ("image_storage_infrequent", "images, to the third month", 6),
        ("image_storage_archive", "images, later", 6),
        ("image_monitoring", "watched by Intelligent-Tiering", 5_000),
        ("data_out", "looks at images", 12),
        ("data_between_regions", "models' answers", 4),
        ("active_users", "users", 100),
        ("log_ingest", "logs of sweeps", 43_200 * 1000 / 1e9),
        ("log_ingest", "logs of invocations", (2_000_000 + 20_000 + 11_300 * 500) / 1e9),
        ("log_storage", "logs of sweeps, kept", 43_200 * 1000 / 1e9 * 2),
        ("custom_metrics", "metrics of failures", 12 * 6 / 720),
        (MODEL, "images", 1000),
    ],
)
def test_a_line_is_counted_from_what_happens(name: str, what: str, quantity: float) -> None:
    found = quantities(bill(PLAN, USAGE, prices()), name)
    assert found[what] == pytest.approx(quantity)


def test_a_line_costs_its_quantity_times_its_price() -> None:
    given = prices()
    given["alarms"] = given["alarms"].model_copy(update={"usd": 3, "per": 10})
    (line,) = [line for line in bill(PLAN, USAGE, given).lines if line.name == "alarms"]
    assert line.usd == line.billed_usd == pytest.approx(9)


def test_an_allowance_is_used_once_by_what_is_fixed_first() -> None:
    of = bill(PLAN, USAGE, prices({"traces": 50_000, "alarms": 10, "active_users": 10_000}))
    billed = {(line.name, line.what): line.billed_usd for line in of.lines}
    assert billed["traces", "sweeps"] == 0
    assert billed["traces", "invocations"] == pytest.approx(11_300 - (50_000 - 43_200))
    assert billed["alarms", "alarms"] == 20
    assert billed["active_users", "users"] == 0
    assert of.usd(billed=False) - of.usd(billed=True) == pytest.approx(50_000 + 10 + 100)


def test_what_is_fixed_does_not_grow_with_the_images() -> None:
    one, many = (bill(replace(PLAN, images=images), USAGE, prices()) for images in (1, 1_000_000))
    assert one.usd(Part.FIXED, billed=False) == many.usd(Part.FIXED, billed=False)
    assert many.usd(Part.MODEL, billed=False) == 1_000_000


def test_a_metric_costs_in_the_hours_in_which_there_are_images() -> None:
    def busy(images: int) -> float:
        of = bill(replace(PLAN, images=images), USAGE, prices())
        return quantities(of, "custom_metrics")["metrics, in hours with images"]

    assert busy(1) == pytest.approx(8 / 720, rel=0.01)
    assert busy(720) == pytest.approx(8 * 0.632, rel=0.01)
    assert busy(100_000) == pytest.approx(8)


def test_snapshots_cost_all_month_and_start_sooner() -> None:
    plain, kept = (bill(replace(PLAN, snap_start=on), USAGE, prices()) for on in (False, True))
    assert quantities(plain, "snapshot_cache") == {}
    assert quantities(kept, "snapshot_cache") == {"snapshots kept": 5 * 720 * 3600 * 0.5}
    assert quantities(kept, "snapshot_restore") == {"snapshots restored": pytest.approx(515)}
    assert quantities(kept, "lambda_seconds")["cold starts"] == pytest.approx(515)


def test_the_page_is_paid_for_by_the_visit_and_under_a_domain_the_images_by_the_look() -> None:
    plain, named = (bill(replace(PLAN, domain=on), USAGE, prices()) for on in (False, True))
    assert quantities(plain, "edge_out")["the page"] == pytest.approx(0.02)
    assert quantities(plain, "edge_requests")["the page"] == 8_000
    looked = quantities(plain, "data_out")["looks at images"]
    assert quantities(named, "edge_out")["looks at images"] == looked
    assert quantities(named, "edge_requests")["looks at images"] == 4_000
    assert "looks at images" not in quantities(named, "data_out")


def test_what_the_page_asks_passes_cloudfront_and_its_function() -> None:
    of = bill(PLAN, USAGE, prices())
    # Half of 200 visits × 6 and 50 purchases × 3; VNPAY's own calls go past it.
    asked = (1200 + 150) / 2
    assert quantities(of, "edge_requests")["the page's requests to the API"] == asked
    assert quantities(of, "edge_functions") == {"the page's requests to the API": asked}
    assert quantities(of, "edge_out")["answers to the page"] == pytest.approx(0.005)
    assert quantities(of, "data_out")["the feed, and other answers"] == pytest.approx(0.007)
    programs = bill(PLAN, USAGE.assuming(["page_share=0"]), prices())
    assert quantities(programs, "edge_functions") == {}
    assert quantities(programs, "data_out")["the feed, and other answers"] == pytest.approx(0.012)


def test_each_further_route_has_alarms_and_metrics_of_its_own() -> None:
    one, three = (bill(replace(PLAN, routes=routes), USAGE, prices()) for routes in (1, 3))
    assert quantities(one, "alarms") == {"alarms": 30}
    assert quantities(three, "alarms") == {"alarms": 34}
    busy = "metrics, in hours with images"
    more = quantities(three, "custom_metrics")[busy] / quantities(one, "custom_metrics")[busy]
    assert more == pytest.approx((5 + 9) / (5 + 3))


def test_images_that_are_not_kept_long_are_never_archived() -> None:
    of = bill(PLAN, USAGE.assuming(["months_kept=2"]), prices())
    assert quantities(of, "image_storage_infrequent") == {"images, to the third month": 3}
    assert quantities(of, "image_storage_archive") == {}


def test_an_image_and_a_thousand_are_shares_of_the_whole() -> None:
    of = bill(PLAN, USAGE, prices())
    whole = of.usd(billed=True)
    assert of.per_image(billed=True) == pytest.approx(whole / 1000)
    assert of.per_thousand(billed=True) == pytest.approx(whole - 1000)
    assert of.per_thousand(Part.VARIABLE, billed=True) == of.usd(Part.VARIABLE, billed=True)


@pytest.mark.parametrize(
    "other", ["months_kept=0", "months_kept=-1", "polling_share=2", "polls", "polls=x", "nothing=1"]
)
def test_an_assumption_that_makes_no_sense_is_refused(other: str) -> None:
    with pytest.raises(BadAssumption, match="What can be assumed"):
        read_usage().assuming([other])
