"""What every test has around it."""

from __future__ import annotations

import asyncio

# looptime asks for the event loop in the first test that is not async; the policy would make one
# that nobody closes. Having been told "none", it makes none.
asyncio.set_event_loop(None)
