"""Settings of the network: where the service listens, and what it takes from its callers."""

from __future__ import annotations

from pydantic_settings import BaseSettings

from onhand.settings.knob import knob


class NetworkSettings(BaseSettings):
    """Addresses, connections and bounds of requests."""

    host: str = knob(
        "127.0.0.1",
        "Address to listen on. Loopback by default, so that nothing is open before access is set up.",
        group="network",
    )
    port: int = knob(
        8300, "Port to listen on; 0 takes a free one and prints it.", group="network", ge=0, le=65_535
    )
    backlog: int = knob(
        2_048,
        "Connections that wait to be accepted; a burst beyond it is refused by the kernel.",
        group="network",
        unit="connections",
        ge=1,
        le=65_535,
    )
    public_url: str | None = knob(
        None,
        "Address under which clients reach the service, such as https://stock.example.com; it is the issuer of its tokens, which end when it changes. Without it the issuer is host and port, and tokens of any process on the same database are taken.",
        group="network",
    )
    connections_max: int = knob(
        4_096,
        "Connections served at a time; a request on one more is answered 503 at once.",
        group="network",
        unit="connections",
        ge=1,
        le=100_000,
    )
    keep_alive_seconds: int = knob(
        75,
        "How long an idle connection stays open. Longer than the usual 60 s of a proxy in front, so that the proxy closes first.",
        group="network",
        unit="seconds",
        ge=1,
        le=3_600,
    )
    shutdown_seconds: int = knob(
        10,
        "How long a stop waits for the requests in progress, and then for the lanes to drain.",
        group="network",
        unit="seconds",
        ge=1,
        le=600,
    )
    body_bytes_max: int = knob(
        4 * 1024 * 1024,
        "Largest request body; 413 above it. 512 records of a bulk with every dimension need about 0.5 MiB.",
        group="network",
        unit="bytes",
        ge=1_024,
        le=256 * 1024 * 1024,
    )
    bulk_items_max: int = knob(
        512,
        "Items of one bulk request; 400 above it. Clients of Inventory Visibility know 512.",
        group="network",
        unit="items",
        ge=1,
        le=10_000,
    )
    query_products_max: int = knob(
        5_000,
        "Product ids of one query; 400 above it. Clients of Inventory Visibility know 5,000.",
        group="network",
        unit="products",
        ge=1,
        le=100_000,
    )
    page_rows_max: int = knob(
        1_000,
        "Rows of one page of holds, movements or refusals, whatever the caller asks for.",
        group="network",
        unit="rows",
        ge=1,
        le=10_000,
    )
    rate_per_second: int = knob(
        0,
        "Requests a client may send in a second on average; 429 above it. 0 sets no limit.",
        group="network",
        unit="requests/s",
        ge=0,
        le=1_000_000,
    )
    rate_burst: int = knob(
        1_000,
        "Requests that a client may send at once before its rate counts; only used with `rate_per_second`.",
        group="network",
        unit="requests",
        ge=1,
        le=1_000_000,
    )
