"""Routes of the ERP side."""

from __future__ import annotations

from typing import Final

from onhand.api.erp import lines, parameters, snapshot_wire, snapshots, soft, wire
from onhand.api.exchange import Json
from onhand.api.route import NATIVE, Handler, Route
from onhand.core.erp.parameters import Parameters

READ: Final = "onhand:read"
ERP: Final = "erp:write"

_KEY: Final = ("Idempotency-Key",)


def _erp(method: str, path: str, handler: Handler, scope: str, summary: str, **more: Json) -> Route:
    return Route(
        method=method,
        path=f"{NATIVE}/erp/{path}",
        handler=handler,
        scope=scope,
        summary=summary,
        surface="native",
        tag="ERP",
        **more,
    )


ERP_ROUTES: Final[tuple[Route, ...]] = (
    _erp("GET", "parameters", parameters.read, READ, "Parameters of the ERP side, and what the lint says about them.",
         answer=wire.ErpParametersAnswer),
    _erp("PUT", "parameters", parameters.save, ERP, "Save the parameters.", body=Parameters,
         answer=wire.ErpParametersAnswer, headers=("If-Match",)),
    _erp("POST", "parameters/validate", parameters.validate, ERP, "Check parameters; changes nothing.", body=Parameters,
         answer=wire.ErpParametersAnswer),
    _erp("POST", "messages", lines.messages, ERP, "Tell about order lines, in order; numbered if a source is named.",
         body=wire.ErpMessagesRequest, answer=wire.ErpMessagesAnswer, untimed=True),
    _erp("GET", "lines", lines.list_lines, READ, "List order lines, newest first.", answer=wire.ErpLinePage,
         query=("orderId", "productId", "source", "status", "state", "after", "limit")),
    _erp("GET", "lines/{lineId}", lines.read_line, READ, "Read an order line with its history.",
         answer=wire.ErpLineAnswer),
    _erp("PUT", "lines/{lineId}", lines.put_line, ERP, "Open an order line, or change it.",
         body=wire.ErpLineRequest, answer=wire.ErpLineAnswer, headers=_KEY),
    _erp("POST", "lines/{lineId}/moves", lines.move_line, ERP, "Move a quantity of a line to a status.",
         body=wire.ErpMoveRequest, answer=wire.ErpLineAnswer, headers=_KEY),
    _erp("POST", "lines/{lineId}/retry", lines.retry, ERP, "Try failed offsets of a line again.",
         body=wire.ErpRetryRequest, answer=wire.ErpLineAnswer),
    _erp("POST", "lines/{lineId}/dismiss", lines.dismiss, ERP, "Take a failed offset off the list.",
         body=wire.ErpDismissRequest, answer=wire.ErpLineAnswer),
    _erp("POST", "lines/{lineId}/soft-reservation", soft.reserve, ERP, "Soft-reserve a line from the ERP.",
         body=wire.ErpSoftRequest, answer=wire.ErpLineAnswer, headers=_KEY),
    _erp("POST", "lines/{lineId}/soft-reservation/revert", soft.revert, ERP, "Give the soft reservation of a line back.",
         body=wire.ErpSoftRequest, answer=wire.ErpLineAnswer, headers=_KEY),
    _erp("POST", "orders/{orderId}/soft-reservation", soft.reserve_order, ERP, "Soft-reserve all lines of an order.",
         body=wire.ErpOrderSoftRequest, answer=wire.ErpSoftAnswer, headers=_KEY),
    _erp("POST", "orders/{orderId}/soft-reservation/revert", soft.revert_order, ERP,
         "Give the soft reservations of an order back.", body=wire.ErpOrderSoftRequest, answer=wire.ErpSoftAnswer,
         headers=_KEY),
    _erp("GET", "failed", lines.list_failures, READ, "What could not be offset or posted, with both places.",
         answer=wire.ErpFailures, query=("after", "limit")),
    _erp("POST", "snapshots", snapshots.apply, ERP,
         "Set absolute figures that say which lines they contain.", body=snapshot_wire.ErpSnapshotRequest,
         answer=snapshot_wire.ErpSnapshotAnswer, untimed=True),
    _erp("GET", "products", snapshots.products, READ, "Products that have figures of the ERP.",
         answer=snapshot_wire.ErpProductPage, query=("organizationId", "after", "limit")),
    _erp("GET", "sources", lines.list_sources, READ, "Sources of messages and their gaps.",
         answer=wire.ErpSourcePage, query=("after", "limit")),
    _erp("GET", "sources/{source}", lines.read_source, READ, "A source of messages.", answer=wire.ErpSourceAnswer),
    _erp("PUT", "sources/{source}", lines.set_source, ERP, "Let a source go on at another number.",
         body=wire.ErpSourceRequest, answer=wire.ErpSourceAnswer),
    _erp("POST", "sync/run", parameters.run, ERP, "Post everything that waits, now.", answer=wire.ErpRun, untimed=True),
)  # fmt: skip
