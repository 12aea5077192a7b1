"""Metrics and logs made real: Prometheus metrics behind the `Probe` port, structlog for logs.

The lanes report once per batch, never per command. Counters that grow with each request are plain dictionaries that
become metric families when they are scraped; histograms that every submission enters are counted by bisection, once
per batch. No label ever carries a product, an order or an id.
"""

from __future__ import annotations

import logging
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Final, Literal

import structlog
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric

from onhand.rows import BatchReport

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of all durations."""

SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Upper bounds of the buckets of batch sizes."""

LABEL_SETS_MAX: Final = 5_000
"""Combinations of label values in one counter; further ones are counted as "other"."""

Labels = tuple[str, ...]


class Tally:
    """A counter with labels that costs one dictionary update."""

    def __init__(self, name: str, documentation: str, labels: Labels) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._counts: dict[Labels, float] = {}

    def add(self, labels: Labels, number: float = 1) -> None:
        """Count; `labels` are the values in the order of the names."""
        counts = self._counts
        if labels not in counts and len(counts) >= LABEL_SETS_MAX:
            labels = ("other",) * len(self._labels)
        counts[labels] = counts.get(labels, 0) + number

    def collect(self) -> Iterator[Metric]:
        """The counter as Prometheus reads it."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, number in self._counts.items():
            family.add_metric(labels, number)
        yield family


class Durations:
    """A histogram that takes many observations at once."""

    def __init__(self, name: str, documentation: str) -> None:
        self._name = name
        self._documentation = documentation
        self._counts = [0] * (len(SECONDS) + 1)
        self._sum = 0.0

    def add(self, seconds: list[float]) -> None:
        """Count observations; sorts the list in place."""
        seconds.sort()
        below = 0
        for index, bound in enumerate(SECONDS):
            reached = bisect_right(seconds, bound, below)
            self._counts[index] += reached - below
            below = reached
            if below == len(seconds):
                break
        self._counts[-1] += len(seconds) - below
        self._sum += sum(seconds)

    def collect(self) -> Iterator[Metric]:
        """The histogram as Prometheus reads it."""
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip((*map(str, SECONDS), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        family = HistogramMetricFamily(self._name, self._documentation)
        family.add_metric((), buckets=buckets, sum_value=self._sum)
        yield family


class Metrics:
    """A `Probe` over a Prometheus registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._requests = self._tally("onhand_requests", "Requests answered.", ("route", "outcome", "reason"))
        self._commands = self._tally(
            "onhand_commands", "Commands decided and committed.", ("kind", "outcome", "reason")
        )
        self._faults = self._tally(
            "onhand_faults", "Submissions that met a fault, answered or retried.", ("where", "fault")
        )
        self._jobs = self._tally("onhand_jobs", "Jobs that ended or were interrupted.", ("kind", "status"))
        self._oversold = self._tally(
            "onhand_oversell_violations", "Checked reservations accepted beyond what was available (I1).", ()
        )
        self._oversold.add((), 0)
        self._submissions = Durations("onhand_submission_seconds", "From submission to durable answer.")
        self.registry.register(self._submissions)
        self._batch = self._histogram("onhand_batch_commands", "Submissions in a batch.", SIZES)
        self._gather = self._histogram(
            "onhand_gather_seconds", "Connection wait, locks and reads of a batch."
        )
        self._decide = self._histogram("onhand_decide_seconds", "Decision of a batch.")
        self._commit = self._histogram("onhand_commit_seconds", "Write and durable commit of a batch.")
        self._queue = Gauge(
            "onhand_lane_queue_commands", "Commands that wait in a lane.", ("lane",), registry=self.registry
        )
        self._job_age = Gauge(
            "onhand_job_age_seconds", "Age of the last job that ended.", ("kind",), registry=self.registry
        )
        self._drift_units = Gauge(
            "onhand_drift_units",
            "Units that the last audit found astray.",
            ("environment",),
            registry=self.registry,
        )
        self._drifts = Gauge(
            "onhand_drifts",
            "Contradictions that the last audit found.",
            ("environment",),
            registry=self.registry,
        )
        self._erp_lines = self._tally(
            "onhand_erp_lines", "ERP lines that the synchronisation took up.", ("outcome",)
        )
        self._erp_offsets = self._tally(
            "onhand_erp_offsets", "Offsets of ERP lines that the synchronisation decided.", ("state",)
        )
        self._erp_failures = self._tally(
            "onhand_erp_failures", "Offsets and lines that it put on the failed list.", ("reason",)
        )
        self._erp_run = self._histogram("onhand_erp_sync_seconds", "Run of the ERP synchronisation.")
        self._erp_oldest = Gauge(
            "onhand_erp_oldest_message_seconds",
            "Age of the oldest ERP message that was due and waited when the last run began; 0 without one.",
            registry=self.registry,
        )

    def _tally(self, name: str, documentation: str, labels: Labels) -> Tally:
        tally = Tally(name, documentation, labels)
        self.registry.register(tally)
        return tally

    def _histogram(self, name: str, documentation: str, buckets: tuple[float, ...] = SECONDS) -> Histogram:
        return Histogram(name, documentation, buckets=buckets, registry=self.registry)

    # The port ----------------------------------------------------------------------------------------------

    def batch(self, report: BatchReport) -> None:
        """A batch was committed."""
        self._batch.observe(report.size)
        self._queue.labels(str(report.lane)).set(report.queued)
        self._gather.observe(report.gather_seconds)
        self._decide.observe(report.decide_seconds)
        self._commit.observe(report.commit_seconds)
        self._submissions.add(report.waited_seconds)
        for labels, number in report.events.items():
            self._commands.add(labels, number)
        if report.oversold:
            self._oversold.add((), report.oversold)

    def fault(self, where: str, name: str, affected: int) -> None:
        """A fault was answered, or a retry was needed."""
        self._faults.add((where, name), affected)

    def request(self, route: str, outcome: str, reason: str) -> None:
        """The edge answered a request."""
        self._requests.add((route, outcome, reason))

    def job(self, kind: str, status: str, age_seconds: float) -> None:
        """A job changed its state."""
        self._jobs.add((kind, status))
        self._job_age.labels(kind).set(age_seconds)

    def audit(self, environment_id: str, drift_units: float, drifts: int) -> None:
        """An audit ended."""
        self._drift_units.labels(environment_id).set(drift_units)
        self._drifts.labels(environment_id).set(drifts)

    def erp_lines(
        self, lines: Mapping[str, int], offsets: Mapping[str, int], failures: Mapping[str, int]
    ) -> None:
        """The ERP's synchronisation took up lines."""
        for tally, counts in (
            (self._erp_lines, lines),
            (self._erp_offsets, offsets),
            (self._erp_failures, failures),
        ):
            for label, number in counts.items():
                if number:
                    tally.add((label,), number)

    def erp_run(self, seconds: float, oldest_seconds: float) -> None:
        """A run of the ERP's synchronisation ended."""
        self._erp_run.observe(seconds)
        self._erp_oldest.set(oldest_seconds)

    def exposition(self) -> tuple[str, bytes]:
        """Content type and body of the metrics page."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)


# Logs --------------------------------------------------------------------------------------------------------

REDACTED: Final = "[redacted]"

_SECRET_NAME = re.compile(
    r"secret|password|passwd|token|authorization|api_?key|credential|assertion|jwk", re.IGNORECASE
)
_SECRET_TEXT: Final = (
    (re.compile(r"(\w+://[^:/@\s]+:)[^@\s]+@"), rf"\1{REDACTED}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {REDACTED}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), REDACTED),
    (re.compile(r"(?i)\b(password|client_secret)=[^\s&]+"), rf"\1={REDACTED}"),
)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace secrets: values under a telling name, passwords in URLs, bearer tokens (a structlog processor)."""
    for name, value in event.items():
        event[name] = REDACTED if _SECRET_NAME.search(name) and value else _redacted(value)
    return event


def _redacted(value: object) -> object:
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXT:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, Mapping):
        return {k: REDACTED if _SECRET_NAME.search(str(k)) else _redacted(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item) for item in value]
    return value


def configure_logging(form: Literal["json", "console"] = "json", level: str = "INFO") -> None:
    """Set up structlog and the standard logging once, at the start of the process; secrets are redacted.

    Logs go to standard error, so that commands can print data.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.processors.format_exc_info,
            redact,
            # The renderer's own tracebacks show local variables, and with them headers and secrets.
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
