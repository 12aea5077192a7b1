from decimal import Decimal

import pytest

from onhand.cli.records import Record, Unusable, Wrong, digest, read


def records(tmp_path, name, text, organization="usmf"):
    file = tmp_path / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read(file, "run", organization))


def test_csv(tmp_path):
    found = records(
        tmp_path,
        "a.csv",
        "\ufeffproduct,siteid,colorid,iv.onhand,pos.inbound\r\nA,1,red,10,\r\n\r\nB,1,,2.50,-1\r\n",
    )
    assert [record.line for record in found] == [2, 4]
    assert found[0].body == {
        "id": "run-2",
        "organizationId": "usmf",
        "productId": "A",
        "dimensions": {"siteid": "1", "colorid": "red"},
        "quantities": {"iv": {"onhand": Decimal(10)}},
    }
    assert found[1].body["quantities"] == {"iv": {"onhand": Decimal("2.50")}, "pos": {"inbound": Decimal(-1)}}
    assert found[1].body["dimensions"] == {"siteid": "1"}


def test_a_column_names_the_organization(tmp_path):
    found = records(tmp_path, "a.csv", "organization,sku,iv.onhand\ndemf,A,1\n,B,1\n", "usmf")
    assert [record.body["organizationId"] for record in found] == ["demf", "usmf"]


def test_wrong_lines_are_named_and_the_others_survive(tmp_path):
    found = records(tmp_path, "a.csv", 'product,iv.onhand\nA,1\nB,many\nC\n,4\nD,\nE,nan\n"F,G",6\n')
    assert [item.line for item in found if isinstance(item, Record)] == [2, 8]
    assert {item.line: item.message for item in found if isinstance(item, Wrong)} == {
        3: "iv.onhand: 'many' is no quantity",
        4: "1 cells where the header names 2",
        5: "no product",
        6: "no quantity",
        7: "iv.onhand: 'nan' is no quantity",
    }


@pytest.mark.parametrize(
    ("text", "organization", "message"),
    [
        ("sku,colour\nA,red\n", "usmf", "first line must name"),
        ("iv.onhand\n1\n", "usmf", "first line must name"),
        ("", "usmf", "first line must name"),
        ("product,iv.onhand\nA,1\n", "", "--organization"),
        (b"product,iv.onhand\n\xff,1\n", "usmf", "UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(tmp_path, text, organization, message):
    with pytest.raises(Unusable, match=message):
        records(tmp_path, "a.csv", text, organization)


def test_ndjson(tmp_path):
    lines = (
        '{"productId":"A","quantities":{"iv":{"onhand":0.1}}}\n'
        "\n"
        '{"id":"mine","organizationId":"demf","productId":"B","quantities":{"iv":{"onhand":1}},"dimensions":{"siteid":"1"}}\n'
        "[1]\n"
        "{broken\n"
        '{"productId":"C"}\n'
    )
    found = records(tmp_path, "a.ndjson", lines)
    assert found[0] == Record(
        1,
        {
            "productId": "A",
            "quantities": {"iv": {"onhand": Decimal("0.1")}},
            "organizationId": "usmf",
            "dimensions": {},
            "id": "run-1",
        },
    )
    assert found[1].body["id"] == "mine"
    assert found[1].body["organizationId"] == "demf"
    assert [(item.line, item.message.split(":")[0]) for item in found[2:]] == [
        (4, "expected an object"),
        (5, "not JSON"),
        (6, "quantities missing"),
    ]


def test_the_same_bytes_have_the_same_name(tmp_path):
    one, two, three = (tmp_path / name for name in "abc")
    one.write_text("x")
    two.write_text("x")
    three.write_text("y")
    assert digest(one) == digest(two) != digest(three)
