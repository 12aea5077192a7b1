import random

import pytest

from bench.histogram import BUCKETS, LONGEST_US, Histogram, bucket, upper


def test_buckets_cover_every_latency_without_gap_or_overlap():
    edges = [upper(index) for index in range(BUCKETS)]
    assert edges == sorted(set(edges))
    for index in range(1, BUCKETS):
        assert bucket(edges[index - 1] + 1) == index or edges[index - 1] >= LONGEST_US


@pytest.mark.parametrize("us", [0, 1, 31, 32, 33, 63, 64, 999, 1_000_000, LONGEST_US])
def test_a_latency_lies_in_its_bucket_and_is_overstated_by_a_thirtysecond_at_most(us):
    edge = upper(bucket(us))
    assert us <= edge <= us * (1 + 1 / 32)


def test_longer_than_the_longest_is_counted_as_the_longest():
    assert bucket(LONGEST_US * 4) == bucket(LONGEST_US)


def test_quantiles_agree_with_a_sorted_list():
    source = random.Random(11)
    latencies = [int(source.lognormvariate(7, 1.5)) for _ in range(20_000)]
    histogram = Histogram()
    for us in latencies:
        histogram.record(us)
    latencies.sort()
    for share in (0.5, 0.9, 0.99, 0.999):
        exact = latencies[int(share * len(latencies)) - 1]
        assert exact <= histogram.quantile(share) <= exact * (1 + 1 / 32)
    assert histogram.summary()["max"] == latencies[-1]


def test_nothing_recorded():
    assert Histogram().summary() == {"p50": 0, "p90": 0, "p99": 0, "p99.9": 0, "max": 0}
