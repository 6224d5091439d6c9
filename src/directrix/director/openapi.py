"""The document that describes the API, in OpenAPI's form."""

from __future__ import annotations

from typing import Any

from directrix import __version__

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "number"}
_WHOLE: dict[str, Any] = {"type": "integer"}
_TRUTH: dict[str, Any] = {"type": "boolean"}


def _maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _gives(meaning: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


def _get(summary: str, schema: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": {"200": _gives("it", schema)}}}


def _post(summary: str, schema: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    body = {"type": "object", "required": ["service", "server"], "properties": {**_NAMED, **more}}
    responses = {"200": _gives("done", schema), "400": _REFUSED, "404": _REFUSED}
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": responses,
        }
    }


_NAMED = {"service": {**_TEXT, "description": "its name"}, "server": {**_TEXT, "description": "address:port"}}
_REFUSED = _gives("refused", _ref("Error"))
_HELD = _object(service=_TEXT, server=_TEXT, held_weight=_maybe(_WHOLE))

_SCHEMAS: dict[str, Any] = {
    "Error": _object(error=_TEXT),
    "Status": _object(
        version=_TEXT,
        pid=_WHOLE,
        configuration=_TEXT,
        config_id=_maybe(_TEXT),
        started_at=_NUMBER,
        reloaded_at=_maybe(_NUMBER),
        reload_refused=_maybe(_TEXT),
        ready=_TRUTH,
        services=_WHOLE,
        checks=_WHOLE,
        astray=_list(_TEXT),
    ),
    "Result": _object(at=_NUMBER, took=_NUMBER, ok=_TRUTH, made=_TRUTH, up=_TRUTH, detail=_TEXT),
    "Checker": _object(name=_TEXT, up=_TRUTH, has_run=_TRUTH, adds=_WHOLE, standing=_TEXT, last=_ref("Result")),
    "Server": _object(
        server=_TEXT,
        method=_TEXT,
        alive=_TRUTH,
        in_table=_TRUTH,
        weight=_WHOLE,
        configured_weight=_WHOLE,
        held_weight=_maybe(_WHOLE),
        draining=_TRUTH,
        active=_WHOLE,
        inactive=_WHOLE,
        checks=_list(_ref("Checker")),
    ),
    "Service": _object(
        name=_TEXT,
        services=_list({"type": "object"}),
        scheduler=_TEXT,
        quorum=_WHOLE,
        hysteresis=_WHOLE,
        quorum_up=_TRUTH,
        live_weight=_WHOLE,
        sorry_server=_maybe(_TEXT),
        sorry_in_use=_TRUTH,
        servers=_list(_ref("Server")),
    ),
    "Check": _object(
        service=_TEXT,
        server=_TEXT,
        name=_TEXT,
        kind=_TEXT,
        delay_loop=_NUMBER,
        retry=_WHOLE,
        attempts=_WHOLE,
        failures=_WHOLE,
        history=_list(_ref("Result")),
    ),
    "Instance": _object(
        name=_TEXT,
        group=_TEXT,
        interface=_TEXT,
        family=_TEXT,
        vrid=_WHOLE,
        version=_WHOLE,
        state=_TEXT,
        since=_NUMBER,
        base_priority=_WHOLE,
        priority=_WHOLE,
        interval=_NUMBER,
        source=_maybe(_TEXT),
        master=_maybe(_TEXT),
        master_priority=_WHOLE,
        master_heard=_NUMBER,
        faults=_list(_TEXT),
        waiting=_list(_TEXT),
        addresses=_list(_TEXT),
        garp_delay=_NUMBER,
        statistics={"type": "object"},
    ),
    "Stranger": _object(interface=_TEXT, family=_TEXT, vrid=_WHOLE, count=_WHOLE, source=_TEXT, at=_NUMBER),
    "Event": _object(at=_NUMBER, kind=_TEXT, what=_TEXT),
}


def _asked(name: str, schema: dict[str, Any], meaning: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": meaning}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "directrix",
        "version": __version__,
        "description": "What the director knows, and what an operator may have it do. Times are seconds since 1970. "
        "An operator's weight is kept apart from what checks decide: it counts until `enable`, and a server that "
        "checks have taken out stays out.",
    },
    "paths": {
        "/v1/status": _get("The director itself.", _ref("Status")),
        "/v1/services": _get(
            "Virtual servers, their real servers, and what stands in the table.", _list(_ref("Service"))
        ),
        "/v1/checks": _get("Every check with its last results.", _list(_ref("Check"))),
        "/v1/vrrp": _get(
            "VRRP's instances, and virtual routers of others that were heard.",
            _object(instances=_list(_ref("Instance")), strangers=_list(_ref("Stranger"))),
        ),
        "/v1/events": _get(
            "What happened last, oldest first.",
            _list(_ref("Event")),
            _asked("limit", _WHOLE, "how many, 100 if nothing is said"),
            _asked("kind", _TEXT, "only these: server, quorum, vrrp, operator, director"),
        ),
        "/v1/servers/weight": _post("Set a real server's weight.", _HELD, weight=_WHOLE),
        "/v1/servers/quiesce": _post("Give a real server no new connections.", _HELD),
        "/v1/servers/drain": _post(
            "The same, and have an event say when its last connection is gone, or the seconds are over.",
            _HELD,
            seconds=_maybe(_NUMBER),
        ),
        "/v1/servers/enable": _post("Let the configuration and the checks decide again.", _HELD),
        "/v1/reload": {
            "post": {
                "summary": "Read the configuration again.",
                "responses": {"200": _gives("done", _object(reloaded=_TRUTH)), "409": _REFUSED},
            }
        },
        "/metrics": {
            "get": {
                "summary": "Metrics in Prometheus' text format.",
                "responses": {"200": {"description": "them", "content": {"text/plain": {"schema": _TEXT}}}},
            }
        },
    },
    "components": {"schemas": _SCHEMAS},
}
