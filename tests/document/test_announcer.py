"""Announcements reach every open subscription, in order."""

from collage_studio.document.announcer import Announcer


def test_listeners_are_called_in_order():
    announcer, heard = Announcer(), []
    announcer.subscribe(lambda message: heard.append(("first", message)))
    announcer.subscribe(lambda message: heard.append(("second", message)))
    announcer.announce(7)
    assert heard == [("first", 7), ("second", 7)]


def test_closed_subscription_hears_nothing_more():
    announcer, heard = Announcer(), []
    subscription = announcer.subscribe(heard.append)
    subscription.close()
    subscription.close()
    announcer.announce(1)
    assert heard == []
    assert len(announcer) == 0


def test_closing_during_an_announcement_takes_effect_at_once():
    announcer, heard = Announcer(), []
    later = []
    announcer.subscribe(lambda _message: later[0].close())
    later.append(announcer.subscribe(heard.append))
    announcer.announce(1)
    assert heard == []


def test_subscribing_during_an_announcement_waits_for_the_next():
    announcer, heard = Announcer(), []
    announcer.subscribe(lambda _message: announcer.subscribe(heard.append))
    announcer.announce(1)
    assert heard == []
    assert len(announcer) == 2


def test_one_listener_may_subscribe_twice():
    announcer, heard = Announcer(), []
    announcer.subscribe(heard.append)
    announcer.subscribe(heard.append).close()
    announcer.announce(3)
    assert heard == [3]
