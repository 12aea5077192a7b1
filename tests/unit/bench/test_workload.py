import itertools
import json
from collections import Counter

import pytest

from bench.workload import ID_LENGTH, ZIPF, Keys, Requests, product


def drawn(keys, count, seed=1):
    return Counter(itertools.islice(keys.draw(seed), count))


def test_zipf_gives_each_rank_its_share():
    keys = Keys("zipf", 1_000)
    counts = drawn(keys, 200_000)
    total = sum(1 / rank**ZIPF for rank in range(1, 1_001))
    for rank in (1, 2, 10):
        expected = 200_000 / rank**ZIPF / total
        assert counts[rank - 1] == pytest.approx(expected, rel=0.06)
    assert max(counts) < 1_000


def test_uniform_reaches_every_key_about_equally():
    counts = drawn(Keys("uniform", 50), 100_000)
    assert set(counts) == set(range(50))
    assert max(counts.values()) < 1.15 * min(counts.values())


def test_hot_is_one_key():
    assert drawn(Keys("hot", 100_000), 10) == {0: 10}


def test_the_same_seed_draws_the_same_keys_and_another_seed_others():
    keys = Keys("zipf", 10_000)
    one, again, other = (list(itertools.islice(keys.draw(seed), 100)) for seed in (5, 5, 6))
    assert one == again
    assert one != other


def test_an_unknown_distribution_is_named():
    with pytest.raises(ValueError, match="zipf, uniform, hot or once"):
        Keys("normal").draw(1)


@pytest.mark.parametrize("bulk", [1, 3])
def test_requests_are_complete_http_with_ascending_unique_ids(bulk):
    requests = Requests("/reserve", {"Authorization": "Bearer x"}, Keys("hot"), "r7", 1, bulk)
    ids = []
    for _ in range(4):
        head, _, body = requests.next().partition(b"\r\n\r\n")
        assert head.startswith(b"POST /reserve HTTP/1.1\r\nHost: localhost\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        assert b"Authorization: Bearer x" in head
        content = json.loads(body)
        items = content if bulk > 1 else [content]
        assert len(items) == bulk
        assert {item["productId"] for item in items} == {product(0)}
        ids += [item["id"] for item in items]
    assert ids == sorted(set(ids))
    assert {len(one) for one in ids} == {ID_LENGTH}
