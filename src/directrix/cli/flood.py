"""A flood in words and as plain data, for `directrix status` and its like."""

from __future__ import annotations

from directrix.lvs.flood import Flood, FloodState


def headline(flood: Flood) -> str:
    """How the table stands, in a sentence; empty if there never was a flood and nobody asked for the defence."""
    if flood.on:
        how = "always, as flood_defence says" if flood.mode == 3 else f"for {flood.lasted or 0:,.0f} s"
        return f"UNDER FLOOD {how}: a SYN gets no entry, its client's next packet does"
    if flood.state is FloodState.ENDING:
        return "a flood has just ended: its last clients are still let in"
    if flood.floods and flood.over is not None:
        return f"the last of {flood.floods:,} ended {flood.over:,.0f} s ago and lasted {flood.lasted or 0:,.0f} s"
    return ""


def lines(flood: Flood) -> list[str]:
    """The same for people, with what was done to each service that it touched."""
    said = headline(flood)
    if not said:
        return []
    text = ["Flood", f"  {said}"]
    for key, counts in flood.services.items():
        if not (counts.unentered or counts.ended):
            continue
        parts = [
            f"{counts.unentered:,} SYNs without an entry",
            f"{counts.admitted:,} clients let in",
            f"{counts.ended:,} half-open connections ended",
        ]
        if flood.on:
            parts.insert(0, f"{counts.unentered_rate:,} SYNs and {counts.admitted_rate:,} clients a second")
        text.append(f"  {key}: {'; '.join(parts)}")
    return text


def as_object(flood: Flood) -> dict[str, object]:
    """The same as plain data."""
    from directrix.lvs.objects import key_object

    return {
        "state": flood.state.name.lower(),
        "mode": flood.mode,
        "floods": flood.floods,
        "lasted": flood.lasted,
        "over": flood.over,
        "services": [
            {
                **key_object(key),
                "unentered": counts.unentered,
                "admitted": counts.admitted,
                "ended": counts.ended,
                "unentered_rate": counts.unentered_rate,
                "admitted_rate": counts.admitted_rate,
                "flooded": counts.flooded,
            }
            for key, counts in flood.services.items()
        ],
    }
