"""The verbs for workflows: run one, describe one."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.endpoints import workflows
from rfhosted.endpoints.prompted import Scale, json_request
from rfhosted.endpoints.routing import json_route
from rfhosted.errors import (
    AuthenticationError,
    HostedError,
    ModelNotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    UnreachableError,
    UnsupportedError,
)
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images import sources
from rfhosted.images.upload import check_size, fit
from rfhosted.outputs.text import one_line
from rfhosted.prediction.timing import Timing, credits_of
from rfhosted.prediction.workflow import WorkflowResult
from rfhosted.transport.request import seconds_of
from rfhosted.verbs import Verbs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rfhosted.endpoints.call import Route
    from rfhosted.endpoints.image_tasks import Parsed
    from rfhosted.endpoints.workflows import Interface, Workflow
    from rfhosted.hosted import VersionName
    from rfhosted.images.sources import ImageLike, SourceImage
    from rfhosted.images.upload import ImageSize, Upload
    from rfhosted.transport.request import Reply

#: Errors of a description that the run would meet as well; others do not keep it from running.
_DECISIVE = (
    AuthenticationError,
    ModelNotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    UnreachableError,
)
_NO_LOCAL = "The local server runs no workflows; nothing was sent"


class WorkflowVerbs(Verbs):
    """The methods of ``Client`` for workflows."""

    def run_workflow(
        self,
        /,
        workflow: str | Mapping[str, Any],
        image: ImageLike | list[ImageLike] | None = None,
        *,
        api_version: ApiVersion | VersionName | None = None,
        image_size: ImageSize = None,
        outputs: Collection[str] | None = None,
        use_cache: bool = True,
        **parameters: Any,
    ) -> WorkflowResult | list[WorkflowResult]:
        """Run a workflow on an image.

        Args:
            workflow: "workspace/workflow-id", the address of its page in the app, or an inline
                definition.
            image: As ``predict`` takes it; a list gives a list of results; None for a workflow
                without an image.
            api_version: "v1" or "v2"; None for the client's.
            image_size: Longest side to send, in pixels; "original"; None for 1024.
            outputs: Names of the outputs that are wanted; None for all. An image as an output is
                most of a response.
            use_cache: Whether the server may use a definition that it read up to 15 minutes ago.
            parameters: The parameters of the workflow; a name that it does not have is refused,
                because the server would ignore it.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
            ValueError, TypeError: An argument makes no sense; nothing was run.
        """
        one = image if not isinstance(image, list) else None
        if isinstance(image, list):
            options = {"api_version": api_version, "image_size": image_size, "outputs": outputs}
            shared = {**parameters, **options, "use_cache": use_cache}
            results = [self.run_workflow(workflow, each, **shared) for each in image]
            return [result for result in results if isinstance(result, WorkflowResult)]
        size = check_size(image_size)
        found, route = workflows.find(workflow), self._workflow_route(api_version)
        interface = self._interface(found, route)
        wanted = None if outputs is None else [outputs] if isinstance(outputs, str) else [*outputs]
        excluded: list[str] = []
        if interface:
            workflows.check_names(parameters, interface.parameters, "parameter")
            workflows.check_names(wanted or (), interface.outputs, "output")
            excluded = workflows.excluded(wanted, interface.outputs)
        body = found.common | {"inputs": parameters, "excluded_fields": excluded}
        if found.specification is None:
            body["use_cache"] = use_cache
        source_image = upload = None
        began = time.perf_counter()
        if one is not None:
            source_image = sources.load(self._fetched(one))
            longest = None if size == "original" else size or hosted.DEFAULT_IMAGE_SIZE
            budget = workflows.image_budget(route.version, body)
            content, upload = fit(source_image, longest, budget=budget, overhead=0)
            name = interface.images[0] if interface and interface.images else "image"
            body["inputs"] = {name: workflows.encoded(content), **parameters}
        request = json_request(route, route.host + found.path, body)
        if upload:
            upload = replace(upload, nbytes=len(request.body))
        seconds = time.perf_counter() - began
        reply = self._send(request, route, None)
        sent = (source_image, upload) if source_image and upload else None
        return self._result(found, route, reply, sent, seconds)

    def describe_workflow(
        self,
        workflow: str | Mapping[str, Any],
        *,
        api_version: ApiVersion | VersionName | None = None,
    ) -> dict[str, dict[str, tuple[str, ...]]]:
        """The inputs and outputs of a workflow and the kinds of each; nothing is run.

        Args:
            workflow: As ``run_workflow`` takes it.
            api_version: "v1" or "v2"; None for the client's.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
        """
        route = self._workflow_route(api_version)
        interface = self._described(workflows.find(workflow), route)
        images = dict.fromkeys(interface.images, ("image",))
        return {"inputs": {**images, **interface.parameters}, "outputs": interface.outputs}

    def _workflow_route(self, api_version: ApiVersion | VersionName | None) -> Route:
        self._own_key_must_be_there()
        version = ApiVersion(api_version or self.api_version)
        route = json_route(
            version, region=self.region, base_url=self.base_url, has_key=self.has_key
        )
        if route.is_local:
            raise UnsupportedError(_NO_LOCAL, advice="Pass an API key, or base_url= of a server.")
        if route.host == hosted.V1_INFER_HOST and self.base_url is None:
            route = replace(route, host=hosted.V1_HOSTS[Task.OBJECT_DETECTION])
        # These routes never read a key from the query.
        return replace(route, key_in_header=True)

    def _interface(self, workflow: Workflow, route: Route) -> Interface | None:
        """The description, kept; None where the server has none that can be read."""
        key = json.dumps([route.host, workflow.name, workflow.specification], sort_keys=True)
        if key not in self._interfaces:
            try:
                self._interfaces[key] = self._described(workflow, route)
            except _DECISIVE:
                raise
            except HostedError:
                return None
        return self._interfaces[key]

    def _described(self, workflow: Workflow, route: Route) -> Interface:
        path = route.host + workflow.description_path
        request = json_request(route, path, workflow.common)
        return workflows.read_interface(self._send(request, route, None).json())

    def _result(
        self,
        workflow: Workflow,
        route: Route,
        reply: Reply,
        sent: tuple[SourceImage, Upload] | None,
        seconds: float,
    ) -> WorkflowResult:
        source_image, upload = sent or (None, None)
        began = time.perf_counter()
        raw = reply.json()
        scale = Scale(source_image.size, upload.size) if source_image and upload else None
        timing = Timing.of([reply], prepare=seconds, exec_=None, parse=0.0)
        credited = credits_of([reply]) if route.is_billable else None

        def prediction(parsed: Parsed, value: Any) -> Any:
            shared = {
                "source_image": source_image,
                "task": parsed.task,
                "model": workflow.name,
                "api_version": route.version,
                "raw": value,
                "upload": upload,
                "timing": timing,
                "confidence": 0.0,
                "host": route.host_name,
                "notes": parsed.notes,
                "received": len(reply.body),
            }
            return self._made(parsed, shared)

        found = {
            one_line(name): workflows.read_value(value, scale, prediction)
            for name, value in workflows.outputs_of(raw).items()
        }
        return WorkflowResult(
            outputs=found,
            workflow=workflow.name,
            api_version=route.version,
            raw=raw,
            timing=replace(timing, parse=time.perf_counter() - began),
            upload=upload,
            credits=credited,
            models=_models(reply),
            host=route.host_name,
            received=len(reply.body),
        )


def _models(reply: Reply) -> tuple[tuple[str, float], ...]:
    """Seconds of each model step, as V2 reports them in a header."""
    try:
        steps = json.loads(reply.headers.get("x-remote-processing-times", "[]"))
        named = [(one_line(str(step["m"])), seconds_of(step["t"])) for step in steps]
    except (ValueError, TypeError, LookupError, RecursionError):
        return ()
    return tuple((name, seconds) for name, seconds in named if seconds is not None)
