"""In-place resize: a running container gets other limits without a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from petops.lab.places import Place, Places
from petops.lab.pod_facts import set_condition
from petops.lab.pod_status import container_status
from petops.lab.quantities import amount
from petops.lab.stage import Stage
from petops.lab.store import Json, clone


class Resizes:
    """Carries out what `pods/resize` asked for."""

    def __init__(self, stage: Stage, places: Places, settle: Callable[[], None]) -> None:
        self._stage, self._places, self._settle = stage, places, settle

    def seen(self, before: Json, now: Json) -> None:
        """Act on a pod whose specification has changed."""
        was = {one["name"]: one.get("resources") or {} for one in before["spec"]["containers"]}
        for spec in now["spec"]["containers"]:
            wanted = spec.get("resources") or {}
            if was.get(spec["name"]) == wanted:
                continue
            for place in self._places.of.get(now["metadata"]["uid"], ()):
                if place.name == spec["name"]:
                    self._begin(place, spec)

    def _begin(self, place: Place, spec: Json) -> None:
        place.spec = {**place.spec, "resources": clone(spec.get("resources") or {})}
        self._stage.after(
            0.3,
            lambda: self._places.edit(
                place.pod,
                lambda found: set_condition(
                    found, "PodResizeInProgress", self._stage.now, holds=True
                ),
            ),
        )
        self._stage.after(1.2, lambda: self._actuate(place))

    def _actuate(self, place: Place) -> None:
        resources = place.spec["resources"]
        run = place.run
        if not self._places.has(place):
            return
        if run is not None and run.is_alive:
            self._settle()
            memory = amount(resources, "limits", "memory")
            run.program = replace(
                run.program,
                cpu_limit_cores=amount(resources, "limits", "cpu"),
                memory_limit_bytes=None if memory is None else int(memory),
            )

        def write(found: Json) -> None:
            status = container_status(found, place.name)
            status["resources"] = clone(resources)
            status["allocatedResources"] = clone(resources.get("requests") or {})
            found["status"]["conditions"] = [
                one for one in found["status"]["conditions"] if one["type"] != "PodResizeInProgress"
            ]

        self._places.edit(place.pod, write)
