"""Clients of /ws each have a bounded queue, and are told what they lost."""

import asyncio
import json

from stratvector.services.gateway.events import Event, Hub, Subscriber


def event(number: int, type: str = "fills", key: str = "") -> Event:
    return Event(type, key, 1_000_000_001, {"number": number})


def told(subscriber: Subscriber) -> list[dict[str, object]]:
    return [json.loads(text) for text in asyncio.run(subscriber.texts())]


def test_a_slow_client_loses_the_oldest_and_is_told_how_many() -> None:
    hub = Hub()
    with hub.subscribed(queue_max=3) as slow, hub.subscribed() as quick:
        for number in range(10):
            hub.publish(event(number))
        first, *rest = told(slow)
        assert first == {"type": "dropped", "count": 7}
        assert [one["number"] for one in rest] == [7, 8, 9]
        assert [one["number"] for one in told(quick)] == list(range(10))
        hub.publish(event(10))
        assert [one["number"] for one in told(slow)] == [10]


def test_who_comes_later_begins_with_the_newest_of_each_state_and_no_happening() -> None:
    hub = Hub()
    for number in range(3):
        hub.publish(event(number, "equity", "main"))
        hub.publish(event(number, "bars", f"universe-{number % 2}"))
        hub.publish(event(number, "fills"))
    with hub.subscribed() as late:
        found = [(one["type"], one["number"]) for one in told(late)]
    assert found == [("equity", 2), ("bars", 2), ("bars", 1)]


def test_who_left_is_told_nothing() -> None:
    hub = Hub()
    with hub.subscribed() as gone:
        pass
    hub.publish(event(1))
    with hub.subscribed() as here:
        hub.publish(event(2))
        assert [one["number"] for one in told(here)] == [2]
    gone.put(event(3))
    assert [one["number"] for one in told(gone)] == [3]


def test_an_event_carries_its_close_to_the_nanosecond_and_none_when_it_has_none() -> None:
    assert json.loads(event(1).text) == {
        "type": "fills",
        "close_time": "1970-01-01T00:00:01.000000001Z",
        "number": 1,
    }
    assert "close_time" not in json.loads(Event("health", "risk", 0, {}).text)
