"""`onhand erp` against the real service: check a data source, read the report, correct."""

import csv
import http.server
import threading

import pytest


@pytest.fixture(scope="module")
def erp(shop):
    """The shop with a client that may post for the ERP."""
    made = shop.json("clients", "create", "erp", "-e", "shop", "--scope", "onhand:read", "--scope", "onhand:write",
                     "--scope", "erp:write", "--scope", "reservation:write")  # fmt: skip
    shop.variables |= {"ONHAND_CLIENT_ID": made["clientId"], "ONHAND_CLIENT_SECRET": made["clientSecret"]}
    return shop


HEADER = "product,siteid,locationid,colorid,pos.inbound\n"


def figures(erp, name, **units):
    """A file of one product per name, five red ones unless told otherwise."""
    file = erp.directory / f"{name}.csv"
    file.write_text(HEADER + "".join(f"{product},1,11,red,{number}\n" for product, number in units.items()))
    return file


def test_check_report_fix_and_check_again(erp):
    erp.run("load", str(figures(erp, "here", A1=5, A2=5, A3=7)))
    theirs = figures(erp, "theirs", A1=5, A2=8, A4=1)
    report = erp.directory / "report.csv"
    ended = erp.run("erp", "check", str(theirs), "--source", "pos", "--report", str(report))
    assert max(map(len, ended.stdout.splitlines()[:-1])) <= 80
    rows = list(csv.DictReader(report.read_text().splitlines()))
    assert [(row["class"], row["product"], row["correction"]) for row in rows if row["product"] == "A2"] == [
        ("missedEvent", "A2", "3")
    ]
    assert {row["class"] for row in rows} == {"missedEvent", "onlyHere", "onlyThere"}
    state = erp.json("erp", "check", str(theirs), "--source", "pos", "--strict", code=3)
    assert state["found"] == {"missedEvent": 1, "onlyHere": 1, "onlyThere": 1}
    of = state["checkId"]
    erp.run("erp", "fix", of, "--reason", "no", code=3)  # nobody says yes
    done = erp.json("erp", "fix", of, "--reason", "lost", "--class", "missedEvent", "--yes")
    assert done["applied"] == {"missedEvent": 1}
    assert "onlyHere" in erp.run("erp", "fix", of, "--reason", "stock-take", "-y").stdout
    assert "agree" in erp.run("erp", "check", str(theirs), "--source", "pos", "--strict").stdout
    listed = erp.json("erp", "checks", "--source", "pos")
    assert [one["state"] for one in listed] == ["ready", "done", "ready"]
    assert of in erp.run("erp", "checks").stdout


def test_figures_are_fetched_from_where_they_are_served(erp):
    body = (HEADER + "B1,1,11,red,4\n").encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/csv")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/stock"
        state = erp.json("erp", "check", address, "--source", "pos", "--covers", "records")
        server.shutdown()
    assert (state["records"], state["found"]) == (1, {"onlyThere": 1})
    erp.run("erp", "check", address, "--source", "pos", code=4)


def test_a_file_that_cannot_be_used_sends_nothing(erp):
    before = len(erp.json("erp", "checks"))
    erp.run("erp", "check", "nowhere.csv", "--source", "pos", code=2)
    wrong = erp.directory / "wrong.csv"
    for text, words in (
        ("product\nA\n", "first line"),
        (HEADER + "A,1,11,red,many\n", "no quantity"),
        (HEADER, "no records"),
    ):
        wrong.write_text(text)
        assert words in erp.run("erp", "check", str(wrong), "--source", "pos", code=2).stderr
    assert len(erp.json("erp", "checks")) == before
    good = figures(erp, "good", A1=5)
    assert "nobody" in erp.run("erp", "check", str(good), "--source", "nobody", code=3).stderr
    erp.run("erp", "fix", "none", "--reason", "x", "-y", code=3)


def test_the_simulated_erp_ends_with_books_that_agree(erp):
    ended = erp.run("erp-sim", "--orders", "15", "--products", "3", "--lost", "20", "--seed", "4")
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert "NO" not in ended.stdout
    document = erp.json("erp-sim", "--orders", "5", "--rate", "400", "--run", "named")
    assert document["run"] == "named"
    assert all(check["passed"] for check in document["checks"])
    erp.run("erp-sim", "--lost", "60", "--late", "60", code=2)
    erp.run("erp-sim", "-e", "nowhere", code=2)
