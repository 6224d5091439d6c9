"""The document that describes the API, in OpenAPI's form."""

from __future__ import annotations

from typing import Any

from directrix import __version__
from directrix.director.orders import Kind
from directrix.draining.course import Stage

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "number"}
_WHOLE: dict[str, Any] = {"type": "integer"}
_TRUTH: dict[str, Any] = {"type": "boolean"}
_NOTHING: dict[str, Any] = {"type": "null"}


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
    responses = {"200": _gives("done", schema), "400": _REFUSED, "404": _REFUSED, "409": _REFUSED}
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": responses,
        }
    }


_NAMED = {"service": {**_TEXT, "description": "its name"}, "server": {**_TEXT, "description": "address:port"}}
_REFUSED = _gives("refused", _ref("Error"))
_ORDERED = _object(
    service=_TEXT,
    server=_TEXT,
    weight=_WHOLE,
    held_weight=_maybe(_WHOLE),
    growing={"oneOf": [_ref("Growth"), _NOTHING]},
    order={"oneOf": [_ref("Order"), _NOTHING]},
)
"""How a real server stands after an order."""

_SCHEMAS: dict[str, Any] = {
    "Error": _object(error=_TEXT),
    "Status": _object(
        version=_TEXT,
        pid=_WHOLE,
        configuration=_TEXT,
        config_id=_maybe(_TEXT),
        table={**_TEXT, "enum": ["xdp", "ipvs"]},
        started_at=_NUMBER,
        reloaded_at=_maybe(_NUMBER),
        reload_refused=_maybe(_TEXT),
        ready=_TRUTH,
        services=_WHOLE,
        checks=_WHOLE,
        orders=_WHOLE,
        astray=_list(_TEXT),
    ),
    "Result": _object(at=_NUMBER, took=_NUMBER, ok=_TRUTH, made=_TRUTH, up=_TRUTH, detail=_TEXT),
    "Checker": _object(
        name=_TEXT,
        up=_TRUTH,
        has_run=_TRUTH,
        adds=_WHOLE,
        standing={**_TEXT, "enum": ["ready", "drain", "maint"]},
        last={"oneOf": [_ref("Result"), _NOTHING]},
        recent={**_list(_maybe(_TRUTH)), "description": "its last results, the newest last; null: it was not made"},
    ),
    "Progress": _object(
        stage={**_TEXT, "enum": [stage.value for stage in Stage]},
        elapsed=_NUMBER,
        connections=_WHOLE,
        active=_WHOLE,
        inactive=_WHOLE,
        by_protocol={"type": "object", "additionalProperties": _WHOLE},
        persistent=_WHOLE,
        rate={**_maybe(_NUMBER), "description": "connections that went, a second"},
        remaining={**_maybe(_NUMBER), "description": "seconds, if it goes on so"},
    ),
    "Growth": {
        **_object(target=_WHOLE, elapsed=_NUMBER, seconds=_NUMBER, left=_NUMBER),
        "description": "a weight on its way to its target, by slow_start: so many seconds of so many",
    },
    "Drain": {
        **_object(seconds=_maybe(_NUMBER), then={**_TEXT, "enum": ["keep", "expire"]}, udp_now=_TRUTH),
        "description": "how the configuration has a server drained that is taken out or quiesced",
    },
    "Rate": {
        **_object(
            rate=_NUMBER,
            text={**_TEXT, "description": "the rate as an operator writes it: 5/m"},
            burst=_WHOLE,
            prefix4=_WHOLE,
            prefix6=_WHOLE,
        ),
        "description": "new connections a second, and at once; of sources, which addresses are one",
    },
    "Order": {
        **_object(
            kind={**_TEXT, "enum": [kind.value for kind in Kind]},
            elapsed=_NUMBER,
            weight=_maybe(_WHOLE),
            seconds={**_maybe(_NUMBER), "description": "of a drain: at most; of an admission: in all"},
            then={**_TEXT, "enum": ["keep", "expire"]},
            ended={**_maybe(_TEXT), "description": "of a drain: null while it goes on"},
            left={**_WHOLE, "description": "of a drain: connections left when it ended"},
            expired={**_WHOLE, "description": "of a drain: connections ended at its deadline"},
            leaves={**_TRUTH, "description": "of a drain: the configuration has the server no more, and it goes then"},
            progress={"oneOf": [_ref("Progress"), _NOTHING]},
            target={**_WHOLE, "description": "of an admission: what the weight grows to"},
        ),
        "required": ["kind", "elapsed", "weight"],
    },
    "Server": _object(
        server=_TEXT,
        places={**_list(_TEXT), "description": "what it is called in each of the service's keys"},
        method=_TEXT,
        alive=_TRUTH,
        in_table=_TRUTH,
        weight=_WHOLE,
        checked_weight={**_WHOLE, "description": "by configuration and checks"},
        configured_weight=_WHOLE,
        held_weight={**_maybe(_WHOLE), "description": "by the operator"},
        quiesced=_TRUTH,
        growing={"oneOf": [_ref("Growth"), _NOTHING]},
        leaving={**_TRUTH, "description": "the configuration has it no more; it is drained, and goes then"},
        slow_start={**_maybe(_NUMBER), "description": "seconds over which its weight grows as it comes"},
        drain={"oneOf": [_ref("Drain"), _NOTHING]},
        order={"oneOf": [_ref("Order"), _NOTHING]},
        active=_WHOLE,
        inactive=_WHOLE,
        checks=_list(_ref("Checker")),
    ),
    "Service": _object(
        name=_TEXT,
        services=_list({"type": "object"}),
        keys={**_list(_TEXT), "description": "the same as texts, as listings write them"},
        scheduler=_TEXT,
        quorum=_WHOLE,
        hysteresis=_WHOLE,
        quorum_up=_TRUTH,
        live_weight=_WHOLE,
        sorry_server=_maybe(_TEXT),
        sorry_in_use=_TRUTH,
        budget={"oneOf": [_ref("Rate"), _NOTHING]},
        source_budget={"oneOf": [_ref("Rate"), _NOTHING]},
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
    "Tracked": _object(
        kind={**_TEXT, "enum": ["script", "process", "file"]},
        name=_TEXT,
        well=_maybe(_TRUTH),
        says=_TEXT,
        since=_NUMBER,
        running=_TRUTH,
    ),
    "Stranger": _object(interface=_TEXT, family=_TEXT, vrid=_WHOLE, count=_WHOLE, source=_TEXT, at=_NUMBER),
    "Event": _object(at=_NUMBER, kind=_TEXT, what=_TEXT),
}


def _asked(name: str, schema: dict[str, Any], meaning: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": meaning}


_ONE_SERVICE = _asked("service", _TEXT, "only the virtual server of this name, or with this service in the table")


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "directrix",
        "version": __version__,
        "description": "What the director knows, and what an operator may have it do. Times are seconds since 1970. "
        "An operator's orders are kept apart from what checks decide: they count until `enable`, over reloads and "
        "crashes. A server with weight 0 by an order stays in the table whatever its checks say; one with another "
        "weight is taken out by them.",
    },
    "paths": {
        "/v1/status": _get("The director itself.", _ref("Status")),
        "/v1/services": _get(
            "Virtual servers, their real servers, and what stands in the table.", _list(_ref("Service")), _ONE_SERVICE
        ),
        "/v1/checks": _get(
            "Every check with its last results.",
            _list(_ref("Check")),
            _ONE_SERVICE,
            _asked("history", _WHOLE, "so many of them, 32 if nothing is said"),
        ),
        "/v1/orders": _get(
            "What the operator has ordered.", _list(_object(service=_TEXT, server=_TEXT, order=_ref("Order")))
        ),
        "/v1/vrrp": _get(
            "VRRP's instances, what they track, and virtual routers of others that were heard.",
            _object(
                instances=_list(_ref("Instance")), tracked=_list(_ref("Tracked")), strangers=_list(_ref("Stranger"))
            ),
        ),
        "/v1/servers": _get(
            "One real server.",
            _ORDERED,
            _asked("service", _TEXT, "the name of its virtual server, or of one of its keys"),
            _asked("server", _TEXT, "its name as configured, or in that key"),
        ),
        "/v1/events": _get(
            "What happened last, oldest first.",
            _list(_ref("Event")),
            _asked("limit", _WHOLE, "how many, 100 if nothing is said"),
            _asked("kind", _TEXT, "only these: check, server, quorum, vrrp, operator, director"),
        ),
        "/v1/servers/weight": _post("Set a real server's weight.", _ORDERED, weight=_WHOLE),
        "/v1/servers/quiesce": _post(
            "Give a real server no new connections; one with a `drain` in the configuration is drained so.", _ORDERED
        ),
        "/v1/servers/drain": _post(
            "The same, send clients that persistence keeps there elsewhere, and watch the connections until none is "
            "left or the seconds are over. `order` tells how it stands, and an event how it ends. Without seconds, "
            "then and udp_now it is drained as the configuration's `drain` says, if there is one.",
            _ORDERED,
            seconds=_maybe(_NUMBER),
            then={**_TEXT, "enum": ["keep", "expire"], "description": "what becomes of those left then"},
            udp_now={**_TRUTH, "description": "send UDP flows elsewhere at once"},
        ),
        "/v1/servers/admit": _post(
            "Let a real server's weight grow to what it shall be.",
            _ORDERED,
            over={**_NUMBER, "description": "seconds"},
            weight={**_maybe(_WHOLE), "description": "null for what configuration and checks say"},
        ),
        "/v1/servers/enable": _post("Let the configuration and the checks decide again.", _ORDERED),
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
