"""Remote write's framing, read back by a decoder that knows only the two formats."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from petops.errors import UsageError
from petops.lab.exposition import Sample
from petops.lab.recorded_metrics import recorded_samples
from petops.lab.remote_write import Timeline, framed

RECORDINGS = Path(__file__).parents[1] / "recordings"
AT_MS = 1_795_409_973_338


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def unframed(data: bytes) -> bytes:
    """Undo snappy's block format, for literals, which need no window."""
    length, at = varint(data, 0)
    text = b""
    while at < len(data):
        tag, at = data[at], at + 1
        assert tag & 3 == 0, "not a literal"
        size = tag >> 2
        if size >= 60:
            extra = size - 59
            size, at = int.from_bytes(data[at : at + extra], "little"), at + extra
        text, at = text + data[at : at + size + 1], at + size + 1
    assert len(text) == length
    return text


def fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        match tag & 7:
            case 0:
                value, at = varint(data, at)
                yield tag >> 3, value
            case 1:
                yield tag >> 3, data[at : at + 8]
                at += 8
            case 2:
                length, at = varint(data, at)
                yield tag >> 3, data[at : at + length]
                at += length
            case kind:
                pytest.fail(f"wire type {kind}")


def decoded(body: bytes) -> list[tuple[list[tuple[str, str]], list[tuple[float, int]]]]:
    series = []
    for _, message in fields(unframed(body)):
        assert isinstance(message, bytes)
        labels: list[tuple[str, str]] = []
        samples: list[tuple[float, int]] = []
        for number, part in fields(message):
            assert isinstance(part, bytes)
            pair = dict(fields(part))
            if number == 1:
                name, value = pair[1], pair[2]
                assert isinstance(name, bytes)
                assert isinstance(value, bytes)
                labels.append((name.decode(), value.decode()))
            else:
                value, at = pair[1], pair[2]
                assert isinstance(value, bytes)
                assert isinstance(at, int)
                samples.append((struct.unpack("<d", value)[0], at))
        series.append((labels, samples))
    return series


def test_samples_come_back_as_they_went_in() -> None:
    timeline = Timeline()
    scrape = (("instance", "node-a"), ("job", "cadvisor"))
    for step in range(3):
        sample = Sample("container_memory_rss", (("image", ""), ("pod", "petsite")), step + 0.5)
        timeline.add([sample], scrape, AT_MS + 15_000 * step)
    (body,) = timeline.requests()
    assert decoded(body) == [
        (
            [
                ("__name__", "container_memory_rss"),
                ("instance", "node-a"),
                ("job", "cadvisor"),
                ("pod", "petsite"),
            ],
            [(0.5, AT_MS), (1.5, AT_MS + 15_000), (2.5, AT_MS + 30_000)],
        )
    ]
    assert timeline.samples == 3


def test_what_cadvisor_says_twice_is_sent_once() -> None:
    timeline = Timeline()
    sample = Sample("container_memory_rss", (), 1.0, AT_MS)
    timeline.add([sample], (), AT_MS + 15_000)
    timeline.add([sample], (), AT_MS + 30_000)
    assert timeline.samples == 1


def test_an_exporters_own_label_wins() -> None:
    timeline = Timeline()
    timeline.add([Sample("up", (("node", "own"),), 1)], (("node", "scrape"),), AT_MS)
    (body,) = timeline.requests()
    assert decoded(body)[0][0] == [("__name__", "up"), ("node", "own")]


@pytest.mark.slow
def test_what_is_large_goes_in_several_requests() -> None:
    timeline = Timeline()
    for step in range(3):
        many = (Sample("many", (("number", str(number)),), number) for number in range(60_000))
        timeline.add(many, (), AT_MS + step)
    bodies = [*timeline.requests()]
    assert len(bodies) > 1
    assert sum(len(decoded(body)) for body in bodies) == 60_000


@pytest.mark.parametrize("length", [0, 1, 59, 60, 61, 256, 70_000])
def test_the_framing_holds_for_every_length(length: int) -> None:
    text = bytes(number % 251 for number in range(length))
    assert unframed(framed(text)) == text


def test_a_time_that_is_no_time_in_milliseconds_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not a time"):
        Timeline().add([Sample("up", (), 1)], (), 1_795_409_973)


def test_a_folder_without_a_case_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recorded case at"):
        next(recorded_samples(tmp_path))


def test_a_recorded_case_keeps_its_times_and_gets_the_scrapes_labels(tmp_path: Path) -> None:
    for name in ("throttle/cadvisor.prom", "throttle/resource.prom", "oomkill/nodes.json"):
        (tmp_path / Path(name).name).write_bytes((RECORDINGS / name).read_bytes())
    (tmp_path / "prometheus").mkdir()
    series = "memory_working_set.range.json"
    recorded = RECORDINGS / "oomkill" / "prometheus" / series
    (tmp_path / "prometheus" / series).write_bytes(recorded.read_bytes())
    samples = [*recorded_samples(tmp_path)]
    jobs = {dict(sample.labels)["job"] for sample in samples}
    assert jobs == {"cadvisor", "resource"}
    assert {dict(sample.labels)["node"] for sample in samples} == {"node-a"}
    limits = [each for each in samples if each.name == "container_spec_memory_limit_bytes"]
    scraped = [each.at_ms or 0 for each in samples if each.name == "container_memory_rss"]
    assert {each.at_ms for each in limits} == {max(scraped)}, "no time of its own: the scrape's"
    assert all(sample.at_ms for sample in samples)
