import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families

from onhand.rows import BatchReport
from onhand.telemetry import SECONDS, Durations, Metrics, redact


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    content_type, body = metrics.exposition()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def report(**changes) -> BatchReport:
    values = {
        "lane": 0,
        "size": 3,
        "queued": 7,
        "waited_seconds": [0.02, 0.003, 0.003],
        "gather_seconds": 0.002,
        "decide_seconds": 0.0001,
        "commit_seconds": 0.004,
        "events": {("reserve", "accepted", ""): 2, ("reserve", "rejected", "shortage"): 1},
    }
    return BatchReport(**{**values, **changes})


def test_a_batch_shows_in_all_its_metrics():
    metrics = Metrics()
    metrics.batch(report())
    metrics.batch(report())
    found = samples(metrics)
    accepted = frozenset({("kind", "reserve"), ("outcome", "accepted"), ("reason", "")})
    refused = frozenset({("kind", "reserve"), ("outcome", "rejected"), ("reason", "shortage")})
    assert found["onhand_commands_total", accepted] == 4
    assert found["onhand_commands_total", refused] == 2
    assert found["onhand_submission_seconds_count", frozenset()] == 6
    assert found["onhand_batch_commands_count", frozenset()] == 2
    assert found["onhand_lane_queue_commands", frozenset({("lane", "0")})] == 7
    assert found["onhand_commit_seconds_sum", frozenset()] == pytest.approx(0.008)
    assert found["onhand_oversell_violations_total", frozenset()] == 0


def test_an_oversell_raises_the_alarm_counter():
    metrics = Metrics()
    metrics.batch(report(oversold=1))
    assert samples(metrics)["onhand_oversell_violations_total", frozenset()] == 1


def test_the_synchronisation_of_the_erp_shows_in_its_metrics():
    metrics = Metrics()
    lines = {"posted": 5, "failed": 2, "waiting": 0, "parked": 0}
    metrics.erp_lines(lines, {"done": 3, "failed": 1}, {"nothing-reserved": 1, "partition-missing": 1})
    metrics.erp_lines({"posted": 1}, {}, {})
    metrics.erp_run(0.2, 75.5)
    found = samples(metrics)

    def one(name: str, label: str, value: str) -> float | None:
        return found.get((name, frozenset({(label, value)})))

    assert one("onhand_erp_lines_total", "outcome", "posted") == 6
    assert one("onhand_erp_lines_total", "outcome", "parked") is None
    assert one("onhand_erp_offsets_total", "state", "done") == 3
    assert one("onhand_erp_failures_total", "reason", "partition-missing") == 1
    assert found["onhand_erp_sync_seconds_sum", frozenset()] == pytest.approx(0.2)
    assert found["onhand_erp_oldest_message_seconds", frozenset()] == 75.5


def test_requests_faults_jobs_and_audits_are_counted():
    metrics = Metrics()
    metrics.request("/onhand/reserve", "rejected", "shortage")
    metrics.fault("unit", "Conflict", 12)
    metrics.job("ReservationResyncJob", "Succeeded", 3.5)
    metrics.audit("shop", 2.5, 1)
    found = samples(metrics)
    route = frozenset({("route", "/onhand/reserve"), ("outcome", "rejected"), ("reason", "shortage")})
    assert found["onhand_requests_total", route] == 1
    assert found["onhand_faults_total", frozenset({("where", "unit"), ("fault", "Conflict")})] == 12
    assert found["onhand_job_age_seconds", frozenset({("kind", "ReservationResyncJob")})] == 3.5
    assert found["onhand_drift_units", frozenset({("environment", "shop")})] == 2.5


def test_label_sets_are_bounded(monkeypatch):
    monkeypatch.setattr("onhand.telemetry.LABEL_SETS_MAX", 3)
    metrics = Metrics()
    for number in range(10):
        metrics.request(f"/r{number}", "ok", "")
    other = frozenset({("route", "other"), ("outcome", "other"), ("reason", "other")})
    found = samples(metrics)
    assert found["onhand_requests_total", other] == 7
    assert sum(value for (name, _), value in found.items() if name == "onhand_requests_total") == 10


@given(st.lists(st.lists(st.floats(0, 20)), max_size=5))
def test_bulk_observation_equals_the_library_observing_one_by_one(batches):
    registry = CollectorRegistry()
    theirs = Histogram("x", "x", buckets=SECONDS, registry=registry)
    ours = Durations("x", "x")
    for batch in batches:
        for seconds in batch:
            theirs.observe(seconds)
        ours.add(list(batch))
    expected = {
        (sample.name, sample.labels.get("le")): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    found = {
        (sample.name, sample.labels.get("le")): sample.value
        for family in ours.collect()
        for sample in family.samples
    }
    assert found == pytest.approx(expected)


def logged(program: str) -> list[str]:
    """Standard error of a process of its own: logging is the property of a whole process."""
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import logging, structlog\nfrom onhand.telemetry import configure_logging\n{program}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ended.stderr.splitlines()


def test_json_logs_carry_events_of_both_kinds_without_secrets():
    lines = logged(
        """
configure_logging("json", "info")
log = structlog.get_logger("onhand.test")
log.info("connected", dsn="postgresql://app:hunter2@db/onhand", client_secret="s3")
logging.getLogger("uvicorn").warning("Authorization: Bearer abc.def")
logging.getLogger("uvicorn").debug("not shown")
"""
    )
    first, second = map(json.loads, lines)
    assert first["event"] == "connected"
    assert first["dsn"] == "postgresql://app:[redacted]@db/onhand"
    assert first["client_secret"] == "[redacted]"  # noqa: S105 - what is shown instead of it
    assert (first["level"], first["logger"]) == ("info", "onhand.test")
    assert second["event"] == "Authorization: Bearer [redacted]"


def test_console_logs_show_errors_with_their_cause():
    text = "\n".join(
        logged(
            """
configure_logging("console", "INFO")
try:
    int("wrong")
except ValueError:
    structlog.get_logger("onhand.test").exception("failed", order="1")
"""
        )
    )
    assert "failed" in text
    assert "ValueError" in text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_tracebacks_show_no_local_variables_and_no_secrets(log_format):
    text = "\n".join(
        logged(
            f"""
configure_logging("{log_format}", "info")
def failing(header):
    raise ValueError("Bearer abc.def refused")
try:
    failing("Basic " + "".join(reversed("drowssap")))
except ValueError:
    structlog.get_logger("onhand.test").exception("failed")
"""
        )
    )
    assert "ValueError" in text
    assert "in failing" in text
    assert "password" not in text
    assert "abc.def" not in text


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        ({"nested": {"password": "x", "user": "u"}}, {"nested": {"password": "[redacted]", "user": "u"}}),
        ({"list": ["Basic dXNlcjpwdw=="]}, {"list": ["Basic [redacted]"]}),
        ({"event": "got eyJhbGciOi.eyJzdWIi.c2ln here"}, {"event": "got [redacted] here"}),
        ({"event": "plain", "quantity": 5, "token": ""}, {"event": "plain", "quantity": 5, "token": ""}),
    ],
)
def test_secrets_are_redacted_wherever_they_hide(event, kept):
    assert redact(None, "info", event) == kept
