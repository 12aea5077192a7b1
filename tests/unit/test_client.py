"""The client against a scripted HTTP server: what it sends, when it tries again, what it raises."""

import asyncio
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from onhand.client import (
    AsyncClient,
    BearerToken,
    Client,
    ClientSecret,
    NotServed,
    OutcomeUnknown,
    RefusedByRules,
    RequestFault,
    ServiceDefect,
    calls,
)

BREAK = "break the connection"
ENVELOPE = {"processingStatus": "success", "statusCode": 200, "id": "ohre~1", "afrQuantity": 3}
BODY = calls.reservation(
    id="1", organization="usmf", product="P", dimensions={"siteid": "1"}, quantity=Decimal("1.50")
)


class Scripted(ThreadingHTTPServer):
    """Answers each request with the next line of the script, then the last one for ever."""

    daemon_threads = True

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = list(script)
        self.seen = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, dict(self.headers), body))
        answer = self.server.script.pop(0) if len(self.server.script) > 1 else self.server.script[0]
        if answer is BREAK:
            self.close_connection = True
            return
        status, document, *headers = answer
        encoded = msgspec.json.encode(document)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    do_GET = do_POST  # noqa: N815 - the base class's name

    def log_message(self, *_):
        return


@pytest.fixture
def serve():
    servers = []

    def start(*script):
        server = Scripted(script)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_call_goes_out_exactly_and_its_answer_is_typed(serve):
    server = serve((200, ENVELOPE))
    with Client(server.url, "my shop", BearerToken("t0k")) as onhand:
        answer = onhand.send(calls.reserve(BODY))
    path, headers, body = server.seen[0]
    assert path == "/api/environment/my%20shop/onhand/reserve"
    assert headers["Authorization"] == "Bearer t0k"
    assert b'"quantity":1.50' in body
    assert answer.accepted
    assert answer.afr_quantity == 3


def test_busy_and_broken_answers_are_tried_again_unchanged(serve):
    server = serve((503, {"code": "busy"}), BREAK, (429, {}, ("Retry-After", "0")), (200, ENVELOPE))
    with Client(server.url, "shop") as onhand:
        assert onhand.send(calls.reserve(BODY)).accepted
    assert len({body for _, _, body in server.seen}) == 1
    assert len(server.seen) == 4


def test_both_clients_behave_alike(serve):
    server = serve((503, {}), BREAK, (200, ENVELOPE))

    async def send():
        async with AsyncClient(server.url, "shop") as onhand:
            return await onhand.send(calls.reserve(BODY))

    assert asyncio.run(send()).accepted
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("status", "document", "failure"),
    [
        (400, {"message": "bad"}, RequestFault),
        (401, {}, RequestFault),
        (404, {"code": "unknown-environment"}, RequestFault),
        (409, {"code": "shortage", "detail": "none left"}, RefusedByRules),
        (403, {"code": "erp-owned"}, RefusedByRules),
        (412, {"code": "precondition-failed"}, RequestFault),
        (422, {"code": "invalid-body", "detail": "no"}, RequestFault),
        (500, {"title": "oops"}, ServiceDefect),
        (503, {"code": "outcome-unknown"}, OutcomeUnknown),
    ],
)
def test_each_error_answer_has_its_kind(serve, status, document, failure):
    server = serve((status, document))
    with Client(server.url, "shop") as onhand, pytest.raises(failure) as caught:
        onhand.send(calls.ask("POST", "/thing", {}))
    assert caught.value.status == status
    assert caught.value.code == document.get("code", "")


def test_an_attempt_that_may_have_counted_makes_the_end_unknown(serve):
    server = serve(BREAK, (503, {"code": "busy"}))
    with Client(server.url, "shop") as onhand, pytest.raises(OutcomeUnknown):
        onhand.send(calls.reserve(BODY))


def test_a_call_without_id_is_not_repeated_after_a_broken_connection(serve):
    server = serve(BREAK, (200, {}))
    with Client(server.url, "shop") as onhand, pytest.raises(OutcomeUnknown):
        onhand.send(calls.ask("POST", "/thing", {}))
    assert len(server.seen) == 1


def test_nobody_listening_is_said_so():
    with Client("http://127.0.0.1:9", "shop") as onhand, pytest.raises(NotServed, match="onhand serve"):
        onhand.send(calls.system("/readyz"))


def test_a_token_is_fetched_once_and_again_when_it_is_refused(serve):
    token = (200, {"access_token": "a", "expires_in": 3600})
    again = (200, {"access_token": "b", "expires_in": 3600})
    server = serve(token, (200, ENVELOPE), (401, {}), again, (200, ENVELOPE))
    with Client(server.url, "shop", ClientSecret("web", "s&cret")) as onhand:
        onhand.send(calls.reserve(BODY))
        onhand.send(calls.reserve(BODY))
    paths = [path for path, _, _ in server.seen]
    assert paths.count("/oauth2/token") == 2
    assert server.seen[0][2] == b"grant_type=client_credentials&client_id=web&client_secret=s%26cret"
    assert server.seen[-1][1]["Authorization"] == "Bearer b"


def test_a_busy_token_endpoint_is_asked_again(serve):
    server = serve((503, {}), (200, {"access_token": "a", "expires_in": 3600}), (200, ENVELOPE))
    with Client(server.url, "shop", ClientSecret("web", "secret")) as onhand:
        assert onhand.send(calls.reserve(BODY)).accepted


def test_a_wrong_secret_is_not_tried_again(serve):
    server = serve((401, {"error": "invalid_client"}))
    with (
        Client(server.url, "shop", ClientSecret("web", "wrong")) as onhand,
        pytest.raises(RequestFault, match="secret"),
    ):
        onhand.send(calls.reserve(BODY))
    assert len(server.seen) == 1


def test_bulk_answers_are_found_by_the_id_that_was_sent(serve):
    failure = {"processingStatus": "failure", "statusCode": 503, "id": "ohce~b~2"}
    server = serve((200, {"success": [ENVELOPE], "failure": [failure]}))
    with Client(server.url, "shop") as onhand:
        answers = onhand.send(calls.change_all([BODY])).by_id()
    assert set(answers) == {"1", "b~2"}
    assert answers["b~2"].busy
    assert not answers["1"].busy


def test_quantities_of_a_query_are_exact(serve):
    row = b'{"organizationId":"u","productId":"P","dimensions":{},"quantities":{"iv":{"onhand":0.1}}}'
    server = serve((200, [msgspec.Raw(row)]))
    with Client(server.url, "shop") as onhand:
        rows = onhand.send(calls.index_query(organization="u"))
    assert rows[0].quantities["iv"]["onhand"] == Decimal("0.1")


@pytest.mark.parametrize("url", ["nonsense", "127.0.0.1:8300", "ftp://host", "http://", ""])
def test_what_is_no_address_is_a_wrong_request_and_not_a_lost_answer(url):
    with pytest.raises(RequestFault, match="no address of a service"):
        Client(url, "shop")
