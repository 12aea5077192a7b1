"""Routes of consistency checks."""

from __future__ import annotations

from typing import Final

from onhand.api.erp import check_wire as wire
from onhand.api.erp import consistency
from onhand.api.exchange import Json
from onhand.api.route import NATIVE, Handler, Route

READ: Final = "onhand:read"
ERP: Final = "erp:write"


def _check(method: str, path: str, handler: Handler, scope: str, summary: str, **more: Json) -> Route:
    return Route(
        method=method,
        path=f"{NATIVE}/erp/checks{path}",
        handler=handler,
        scope=scope,
        summary=summary,
        surface="native",
        tag="Consistency checks",
        **more,
    )


CHECK_ROUTES: Final[tuple[Route, ...]] = (
    _check("POST", "", consistency.open_check, ERP, "Open a consistency check of a data source.",
           body=wire.CheckRequest, answer=wire.CheckAnswer, status=201),
    _check("GET", "", consistency.list_checks, READ, "List checks, newest first.", answer=wire.CheckPage,
           query=("source", "after", "limit")),
    _check("GET", "/{checkId}", consistency.read_check, READ, "State of a check.", answer=wire.CheckAnswer),
    _check("DELETE", "/{checkId}", consistency.forget, ERP, "Forget a check; what was corrected stays.", status=204,
           untimed=True),
    _check("PUT", "/{checkId}/figures/{part}", consistency.add_figures, ERP,
           "Add a part of the source's figures: JSON, text/csv or application/x-ndjson.",
           body=wire.CheckFiguresRequest, answer=wire.CheckAnswer, query=("organizationId",), untimed=True),
    _check("POST", "/{checkId}/compare", consistency.compare, ERP, "Compare the figures, in the background.",
           answer=wire.CheckAnswer, status=202),
    _check("GET", "/{checkId}/findings", consistency.findings, READ,
           "What differs, with proposed corrections; as a file with format=csv or ndjson.",
           answer=wire.CheckFindingPage, query=("class", "state", "format", "after", "limit")),
    _check("POST", "/{checkId}/approve", consistency.approve, ERP, "Approve corrections; they are posted in the background.",
           body=wire.CheckApprovalRequest, answer=wire.CheckAnswer, status=202),
)  # fmt: skip
