"""What a `Builder` starts in tests: answers its order with the order itself."""

from __future__ import annotations

from orchestra.watching.wire import receive, send


def main(orders: int, replies: int) -> None:
    """Wait for one order, send it back, and end."""
    send(replies, receive(orders))
