"""Pulling images: from a registry that has nearly everything, or with its words why not.

There is no registry here; a name decides. A host under `.invalid` or `.internal` has no address, a
path with `/private/` is forbidden, and a tag `9.9.9` or one that says `missing` is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from petops.lab.places import Place, Places
from petops.lab.pod_status import container_status, waiting
from petops.lab.stage import Stage
from petops.lab.store import Json

_NO_HOST: Final = re.compile(r"[^/]*\.(invalid|internal)(:\d+)?/")
_FORBIDDEN: Final = re.compile(r"[^/]+\.[^/]+/(.*/)?private/")
_MISSING: Final = re.compile(r".*:(9\.9\.9|[\w.-]*(missing|not-found|does-not-exist)[\w.-]*)")
_FIRST_WAIT_SECONDS: Final = 10.0
_LONGEST_WAIT_SECONDS: Final = 300.0
_SAID_EVERY_SECONDS: Final = 13.0


def refusal(image: str) -> str:
    """Return what containerd says of an image that it cannot have; empty for all others."""
    host, _, rest = image.partition("/")
    path, _, tag = rest.rpartition(":") if ":" in rest else (rest, "", "latest")
    head = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
    if _NO_HOST.match(image):
        url = f"https://{host}/v2/{path}/manifests/{tag}"
        name = host.partition(":")[0]
        return (
            f'{head}failed to do request: Head "{url}": '
            f"dial tcp: lookup {name} on 10.0.0.2:53: no such host"
        )
    if _FORBIDDEN.match(image):
        return (
            f"{head}pulling from host {host} failed with status code [manifests {tag}]: "
            "403 Forbidden"
        )
    if _MISSING.fullmatch(image):
        return f"rpc error: code = NotFound desc = {head}{image}: not found"
    return ""


class ImagePulls:
    """Gets each container's image to its node."""

    def __init__(self, stage: Stage, places: Places) -> None:
        self._stage, self._places = stage, places
        self._there: set[tuple[str, str]] = set()

    def pull(self, place: Place, then: Callable[[], None]) -> None:
        """Have the image of a container, now or after some attempts; `then` goes on."""
        if not self._places.has(place):
            return
        image, node = place.spec["image"], place.pod["spec"]["nodeName"]
        always = place.spec.get("imagePullPolicy") == "Always"
        if (node, image) in self._there and not always:
            self._places.say(
                place, "Pulled", f'Container image "{image}" already present on machine'
            )
            self._stage.after(0.4, then)
            return
        self._places.say(place, "Pulling", f'Pulling image "{image}"')
        why = refusal(image)
        if why:
            self._stage.after(0.3, lambda: self._failed(place, why, then))
            return
        seconds = round(self._stage.chance.between(0.4, 0.9, "pull", node, image), 3)
        self._stage.after(seconds, lambda: self._pulled(place, seconds, then))

    def _pulled(self, place: Place, seconds: float, then: Callable[[], None]) -> None:
        if not self._places.has(place):
            return
        image, node = place.spec["image"], place.pod["spec"]["nodeName"]
        size = int(self._stage.chance.between(2e7, 9e7, "size", image))
        self._there.add((node, image))
        took = f"{int(seconds * 1000)}ms ({int(seconds * 1000)}ms including waiting)"
        text = f'Successfully pulled image "{image}" in {took}. Image size: {size} bytes.'
        self._places.say(place, "Pulled", text)
        self._stage.after(0.3, then)

    def _failed(self, place: Place, why: str, then: Callable[[], None]) -> None:
        if not self._places.has(place):
            return
        image = place.spec["image"]
        text = f'Failed to pull image "{image}": {why}'
        self._places.say(place, "Failed", text, warning=True)
        self._places.say(place, "Failed", "Error: ErrImagePull", warning=True)
        self._wait(place, "ErrImagePull", why)
        seconds = min(_FIRST_WAIT_SECONDS * 2**place.failed_pulls, _LONGEST_WAIT_SECONDS)
        place.failed_pulls += 1
        attempt = place.failed_pulls
        self._stage.after(0.8, lambda: self._back_off(place, why, attempt))
        self._stage.after(seconds + 1.5, lambda: self.pull(place, then))

    def _back_off(self, place: Place, why: str, attempt: int) -> None:
        """Say the same again and again until the next attempt."""
        if not self._places.has(place) or place.failed_pulls != attempt or place.run is not None:
            return
        text = f'Back-off pulling image "{place.spec["image"]}"'
        self._places.say(place, "BackOff", text)
        self._places.say(place, "Failed", "Error: ImagePullBackOff", warning=True)
        self._wait(place, "ImagePullBackOff", f"{text}: ErrImagePull: {why}")
        self._stage.after(_SAID_EVERY_SECONDS, lambda: self._back_off(place, why, attempt))

    def _wait(self, place: Place, reason: str, message: str) -> None:
        def write(found: Json) -> None:
            container_status(found, place.name)["state"] = waiting(reason, message)

        self._places.edit(place.pod, write)
