"""The route table: every path the service answers, with the scope it needs, in one visible list."""

from __future__ import annotations

from typing import Final

from onhand.api import description, health, oauth
from onhand.api.compat import events, housekeeping, queries, unbuilt
from onhand.api.compat.envelopes import BulkAnswer, Envelope
from onhand.api.compat.wire import OnHandBody, ReserveBody, SetOnHandBody, UnreserveBody
from onhand.api.exchange import Json
from onhand.api.native import administration, configuration, erp, reservations, stock, wire
from onhand.api.native import wire_administration as rights
from onhand.api.route import COMPAT, NATIVE, Handler, Route
from onhand.api.routes_checks import CHECK_ROUTES
from onhand.api.routes_erp import ERP_ROUTES
from onhand.api.routes_items import ITEM_ROUTES
from onhand.api.routes_orders import ORDER_ROUTES

READ, STOCK, HOLD, CONFIG, ERP, ADMIN = (
    "onhand:read",
    "onhand:write",
    "reservation:write",
    "config:write",
    "erp:write",
    "admin",
)
"""Scopes; what they allow is said in `service.principals.SCOPES`."""


def _compat(method: str, path: str, handler: Handler, scope: str, summary: str, **more: Json) -> Route:
    return Route(
        method=method,
        path=f"{COMPAT}/{path}",
        handler=handler,
        scope=scope,
        summary=summary,
        surface="compat",
        tag="Inventory Visibility compatible",
        **more,
    )


def _open(method: str, path: str, handler: Handler, tag: str, summary: str, **more: Json) -> Route:
    return Route(
        method=method,
        path=path,
        handler=handler,
        scope=None,
        summary=summary,
        surface="open",
        tag=tag,
        **more,
    )


def _native(  # noqa: PLR0913 - the columns of the table
    method: str, path: str, handler: Handler, scope: str, tag: str, summary: str, **more: Json
) -> Route:
    return Route(
        method=method,
        path=f"{NATIVE}/{path}" if not path.startswith("/") else path,
        handler=handler,
        scope=scope,
        summary=summary,
        surface="native",
        tag=tag,
        **more,
    )


_PAGES: Final = {"query": ("pageNumber", "pageSize"), "headers": ("Api-Version",)}
_FILTERS: Final = (
    "organizationId", "productId", "siteId", "locationId", "colorId", "sizeId", "styleId", "configId",
    "dimensionDataSource", "groupBy", "returnNegative", "pageNumber", "pageSize",
)  # fmt: skip
_FORM: Final = ("grant_type", "client_id", "client_secret", "scope")

HEALTH: Final[tuple[Route, ...]] = (
    _open("GET", "/health/ping", health.ping, "Health", "Say that the process answers."),
    _open("GET", "/livez", health.live, "Health", "Say that the process lives."),
    _open(
        "GET",
        "/readyz",
        health.ready,
        "Health",
        "Say whether requests can be taken, or which part is not ready.",
    ),
    _open("GET", "/metrics", health.metrics, "Health", "Metrics in the Prometheus text format."),
)

DOCS: Final[tuple[Route, ...]] = (
    _open("GET", "/openapi.json", description.serve_description, "Description", "This description."),
    _open("GET", "/docs", description.serve_page, "Description", "The description for people."),
)

TOKENS: Final[tuple[Route, ...]] = (
    _open("POST", "/oauth2/token", oauth.token, "Tokens", "Get an access token by client credentials.",
          form=(*_FORM, "environment"), answer=oauth.TokenAnswer),
    _open("POST", "/token", oauth.exchange, "Tokens", "Exchange a first-hop token for an access token.",
          body=oauth.ExchangeRequest, answer=oauth.TokenAnswer),
    _open("POST", "/securityservice/token", oauth.exchange, "Tokens", "The same as /token.",
          body=oauth.ExchangeRequest, answer=oauth.TokenAnswer),
    _open("POST", "/{tenant}/oauth2/v2.0/token", oauth.first_hop, "Tokens", "Get a first-hop token.", form=_FORM,
          answer=oauth.TokenAnswer),
    _open("GET", "/{tenant}/oauth2/v2.0/token", oauth.first_hop, "Tokens", "The same, with a form body.", form=_FORM,
          answer=oauth.TokenAnswer),
    _open("GET", "/.well-known/jwks.json", oauth.key_set, "Tokens", "Public keys of the access tokens."),
    _open("GET", "/.well-known/oauth-authorization-server", oauth.metadata, "Tokens", "Metadata (RFC 8414)."),
)  # fmt: skip

COMPATIBLE: Final[tuple[Route, ...]] = (
    _compat("POST", "onhand/reserve", events.reserve, HOLD, "Reserve, or take back with a negative quantity.",
            starter=events.start_reserve, untimed=True, body=ReserveBody, answer=Envelope),
    _compat("POST", "onhand/reserve/bulk", events.reserve_bulk, HOLD, "Reserve many.",
            untimed=True, body=list[ReserveBody], answer=BulkAnswer),
    _compat("POST", "onhand/unreserve", events.unreserve, HOLD, "Release by reservation id.",
            body=UnreserveBody, answer=Envelope),
    _compat("POST", "onhand/unreserve/bulk", events.unreserve_bulk, HOLD, "Release many.",
            body=list[UnreserveBody], answer=BulkAnswer),
    _compat("POST", "onhand", events.on_hand, STOCK, "Change on-hand quantities.",
            starter=events.start_on_hand, untimed=True, body=OnHandBody, answer=Envelope),
    _compat("POST", "onhand/bulk", events.on_hand_bulk, STOCK, "Change many on-hand quantities.",
            untimed=True, body=list[OnHandBody], answer=BulkAnswer),
    _compat("POST", "setonhand/{inventorySystem}/bulk", events.set_on_hand_bulk, STOCK,
            "Set quantities of one data source.", body=list[SetOnHandBody], answer=BulkAnswer),
    _compat("POST", "onhand/indexquery", queries.index_query, READ, "Query on-hand quantities.", **_PAGES),
    _compat("POST", "indexquery", queries.index_query, READ, "The same as onhand/indexquery.", **_PAGES),
    _compat("GET", "onhand", queries.get_on_hand, READ, "Query on-hand quantities by query string.",
            query=_FILTERS, headers=("Api-Version",)),
    _compat("POST", "onhand/exactquery", queries.exact_query, READ, "Query exact positions.", **_PAGES),
    _compat("POST", "onhand/reserve/resyncjob", housekeeping.resync, CONFIG, "Start the clean-up of reservations.",
            body=list[str]),
    _compat("GET", "getJobProgress", housekeeping.job_progress, READ, "State of a job.", query=("jobId",)),
    _compat("GET", "configuration", housekeeping.configuration, READ, "Read the configuration."),
    _compat("POST", "configuration/hardupdate", housekeeping.hard_update, CONFIG, "Replace the configuration."),
    _compat("GET", "allpartitionids", housekeeping.partition_ids, READ, "List partitions.", answer=list[str]),
    _compat("DELETE", "partitions/cleanupalldata", housekeeping.clean_up_partitions, CONFIG, "Wipe partitions.",
            body=list[str]),
    _compat("DELETE", "cleanupalldata", housekeeping.clean_up_partitions, CONFIG, "Wipe partitions.", body=list[str]),
    _compat("POST", "updatePartitionSchema", housekeeping.update_partition_schema, CONFIG,
            "Change the partition schema of an empty environment.", query=("newversion",)),
    _compat("POST", "updateEnvIdInConfig", housekeeping.update_environment_id, CONFIG,
            "Take over the data of another environment id.", needs_rules=False, query=("oldEnvironmentId",)),
    _compat("POST", "onhand/changeschedule", unbuilt.change_schedule, STOCK, "Not implemented (501).", status=501),
    _compat("POST", "onhand/changeschedule/bulk", unbuilt.change_schedule, STOCK, "Not implemented (501).", status=501),
    _compat("POST", "allocation/allocate", unbuilt.allocation, STOCK, "Not implemented (501).", status=501),
    _compat("POST", "allocation/unallocate", unbuilt.allocation, STOCK, "Not implemented (501).", status=501),
    _compat("POST", "allocation/reallocate", unbuilt.allocation, STOCK, "Not implemented (501).", status=501),
    _compat("POST", "allocation/consume", unbuilt.allocation, STOCK, "Not implemented (501).", status=501),
    _compat("POST", "allocation/query", unbuilt.allocation, READ, "Not implemented (501).", status=501),
    _compat("POST", "onhand/productsearch/indexquery", unbuilt.product_search, READ, "Not implemented (501).", status=501),
    _compat("POST", "onhand/productsearch/exactquery", unbuilt.product_search, READ, "Not implemented (501).", status=501),
    _compat("POST", "productsearch/products", unbuilt.product_search, READ, "Not implemented (501).", status=501),
    _compat("POST", "transaction/adjustment/bulk", unbuilt.adjustment, STOCK, "Not implemented (501).", status=501),
    _compat("POST", "logTransactionDetails", unbuilt.log_details, READ, "Not implemented (501).", status=501),
)  # fmt: skip

_KEY: Final = ("Idempotency-Key",)

NATIVE_ROUTES: Final[tuple[Route, ...]] = (
    _native("POST", "reservations", reservations.create, HOLD, "Reservations", "Take a reservation.",
            body=wire.ReservationRequest, answer=wire.ReservationTaken, status=201, headers=_KEY, untimed=True),
    _native("GET", "reservations", reservations.listing, READ, "Reservations", "List reservations, newest first.",
            answer=wire.ReservationPage,
            query=("organizationId", "productId", "reference", "channel", "order", "open", "state", "after", "limit")),
    _native("GET", "reservations/{holdId}", reservations.read, READ, "Reservations", "Read a reservation.",
            answer=wire.Reservation),
    _native("DELETE", "reservations/{holdId}", reservations.delete, HOLD, "Reservations",
            "Release what remains of a reservation.", answer=wire.ReservationReleased, headers=_KEY),
    _native("POST", "reservations/{holdId}/release", reservations.release, HOLD, "Reservations",
            "Release a part of a reservation.", body=wire.ReleaseRequest, answer=wire.ReservationReleased, headers=_KEY),
    _native("POST", "reservations/{holdId}/extend", reservations.extend, HOLD, "Reservations",
            "Move the expiry of a reservation.", body=wire.ExtendRequest, answer=wire.ReservationExtended, headers=_KEY),
    _native("GET", "availability", stock.availability, READ, "Stock",
            "Quantities at one node, and what could be reserved there. Further parameters are dimensions.",
            answer=wire.Availability, query=("organizationId", "productId", "dimensionDataSource", "siteId", "locationId")),
    _native("POST", "on-hand", stock.change, STOCK, "Stock", "Add to physical measures.",
            body=wire.OnHandRequest, answer=wire.OnHandDone, headers=_KEY),
    _native("PUT", "on-hand", stock.count, STOCK, "Stock", "Set physical measures of one data source.",
            body=wire.OnHandRequest, answer=wire.OnHandDone, headers=_KEY),
    _native("GET", "movements", stock.movements, READ, "Stock",
            "Why a quantity is what it is: the ledger of a product. Further parameters are dimensions.",
            answer=wire.MovementPage, query=("organizationId", "productId", "measure", "after", "limit")),
    _native("GET", "refusals", stock.refusals, READ, "Stock", "What was refused, with the numbers that were seen.",
            answer=wire.RefusalPage, query=("since", "after", "limit")),
    _native("GET", "partitions", stock.partitions, READ, "Stock", "Partitions that hold stock.",
            answer=wire.PartitionList),
    _native("POST", "partitions/wipe", stock.wipe, CONFIG, "Stock", "Empty partitions.",
            body=wire.WipeRequest, answer=wire.Wiped),
    _native("POST", "erp/sync", erp.sync, ERP, "ERP", "Post the ERP's changes with the reservations they offset.",
            body=list[wire.ErpEvent], answer=wire.ErpAnswer),
    _native("GET", "configuration", configuration.read, READ, "Configuration", "Read the configuration.",
            answer=rights.ConfigurationAnswer, query=("version",)),
    _native("PUT", "configuration", configuration.apply, CONFIG, "Configuration", "Apply a configuration.",
            body=rights.ConfigurationRequest, answer=rights.ConfigurationAnswer, headers=("If-Match",)),
    _native("POST", "configuration/validate", configuration.validate, CONFIG, "Configuration",
            "Check a configuration; changes nothing.", body=rights.ConfigurationRequest, answer=rights.Validation),
    _native("POST", "configuration/diff", configuration.diff, CONFIG, "Configuration",
            "What a configuration would change; changes nothing.", body=rights.ConfigurationRequest,
            answer=rights.Difference),
    _native("GET", "configuration/history", configuration.history, READ, "Configuration", "All versions.",
            answer=rights.History),
    _native("POST", "jobs", administration.start_job, CONFIG, "Jobs", "Start a long job.",
            body=rights.JobRequest, answer=rights.JobAnswer, status=202),
    _native("GET", "jobs/{jobId}", administration.read_job, READ, "Jobs", "State of a job.", answer=rights.JobAnswer),
    _native("POST", "verify", administration.verify, ADMIN, "Jobs", "Audit the environment now.",
            answer=rights.AuditAnswer, untimed=True),
    _native("GET", "/v1/environments", administration.environments, READ, "Administration",
            "Environments that the caller may enter.", answer=rights.EnvironmentList),
    _native("POST", "/v1/environments", administration.create_environment, ADMIN, "Administration",
            "Create an environment.", body=rights.EnvironmentRequest, answer=rights.EnvironmentAnswer, status=201),
    _native("GET", NATIVE, administration.read_environment, READ, "Administration", "Read an environment.",
            answer=rights.EnvironmentAnswer),
    _native("DELETE", NATIVE, administration.delete_environment, ADMIN, "Administration",
            "Delete an environment that holds no stock.", status=204),
    _native("GET", "/v1/clients", administration.clients, ADMIN, "Administration", "List clients.",
            answer=rights.ClientList),
    _native("POST", "/v1/clients", administration.create_client, ADMIN, "Administration",
            "Create a client, or give it a new secret.", body=rights.ClientRequest, answer=rights.ClientCreated, status=201),
    _native("DELETE", "/v1/clients/{clientId}", administration.disable_client, ADMIN, "Administration",
            "Refuse a client from now on.", status=204),
)  # fmt: skip

ROUTES: Final[tuple[Route, ...]] = (
    *HEALTH, *DOCS, *TOKENS, *COMPATIBLE, *NATIVE_ROUTES, *ORDER_ROUTES, *ITEM_ROUTES, *ERP_ROUTES, *CHECK_ROUTES,
)  # fmt: skip
