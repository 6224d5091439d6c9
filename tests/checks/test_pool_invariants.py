"""What is true of a pool after any history: the actions make the table that it says it has, and the rules hold."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from directrix.checks.actions import Action, Add, Remove, ServerKey, SetWeight, TellQuorum, TellServer
from directrix.checks.outcome import Standing
from directrix.checks.pool import Pool
from directrix.checks.pool_values import CheckerSettings, PoolSettings, ServerSettings, SorryServer

KEYS: list[ServerKey] = [(IPv4Address(f"10.0.0.{number}"), 80) for number in range(1, 5)]
SORRY: ServerKey = (IPv4Address("10.0.0.99"), 80)
CHECKERS = "xy"

servers = st.builds(
    lambda key, weight, inhibit, alphas, quiesces, slow_start: ServerSettings(
        key, weight, inhibit, (CheckerSettings("x", alphas[0]), CheckerSettings("y", alphas[1], quiesces)), slow_start
    ),
    st.sampled_from(KEYS),
    st.integers(0, 3),
    st.booleans(),
    st.tuples(st.booleans(), st.booleans()),
    st.booleans(),
    st.sampled_from([0.0, 2.0, 5.0]),
)


@st.composite
def pools(draw: st.DrawFn) -> PoolSettings:
    chosen = draw(st.lists(servers, min_size=1, max_size=4, unique_by=lambda server: server.key))
    quorum = draw(st.integers(1, 4))
    sorry = draw(
        st.none() | st.builds(SorryServer, st.sampled_from([SORRY, KEYS[0]]), st.integers(0, 2), st.booleans())
    )
    if sorry is not None:
        # As keepalived sees to: a sorry server that is a real server, too, is inhibited as that one is.
        for server in chosen:
            if server.key == sorry.key:
                sorry = SorryServer(sorry.key, sorry.weight, server.inhibit)
    return PoolSettings(tuple(chosen), quorum, draw(st.integers(0, quorum - 1)), sorry, draw(st.booleans()))


event = st.one_of(
    st.tuples(
        st.just("report"),
        st.sampled_from(KEYS),
        st.sampled_from(CHECKERS),
        st.booleans(),
        st.none() | st.integers(-3, 3),
        st.none() | st.sampled_from(Standing),
    ),
    st.tuples(st.just("hold"), st.sampled_from(KEYS), st.none() | st.integers(0, 3)),
    st.tuples(st.just("reload"), pools()),
    st.tuples(st.just("grow")),
)


class Table:
    """A table that takes only what IPVS would take, and hears what people are told."""

    def __init__(self) -> None:
        self.weights: dict[ServerKey, int] = {}
        self.up: dict[ServerKey, bool] = {}
        self.quorum: bool | None = None

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Add(server, weight):
                    assert server not in self.weights
                    self.weights[server] = weight
                case SetWeight(server, weight):
                    assert server in self.weights
                    self.weights[server] = weight
                case Remove(server):
                    del self.weights[server]
                case TellServer(server, up):
                    self.up[server] = up
                case TellQuorum(up):
                    self.quorum = up


def hold_rules(pool: Pool, table: Table) -> None:
    assert table.weights == pool.table()
    settings = pool.settings
    alive = [view for view in (pool.server(server.key) for server in settings.servers) if view.alive]
    weight = sum(view.checked_weight for view in alive) if any(view.weight for view in alive) else 0
    assert pool.live_weight == weight
    for server in settings.servers:
        view = pool.server(server.key)
        assert view.weight == view.full_weight if view.growth is None else 0 < view.weight <= view.full_weight
        assert (view.growth is not None) == (server.key in pool.growing())
        fit = all(checker.up and checker.standing is not Standing.MAINT for checker in view.checkers.values())
        assert view.alive == fit
        stands_in = pool.sorry_in and settings.sorry is not None and settings.sorry.key == server.key
        quiet = server.inhibit or view.quiesced
        assert view.in_table == (((view.alive and not pool.sorry_in) or quiet) and not stands_in)
        if not stands_in:
            in_force = view.alive and not pool.sorry_in
            assert table.weights.get(server.key, 0) == (view.weight if in_force else 0)
        assert table.up.get(server.key, view.alive) == view.alive
    assert pool.sorry_in == (settings.sorry is not None and not pool.quorum_up)
    if weight >= settings.quorum + settings.hysteresis:
        assert pool.quorum_up
    if weight == 0 or weight < settings.quorum - settings.hysteresis:
        assert not pool.quorum_up
    assert table.quorum in (None, pool.quorum_up)


@given(pools(), st.lists(event, max_size=25))
def test_the_actions_make_the_table_and_the_rules_hold(
    settings: PoolSettings, events: list[tuple[object, ...]]
) -> None:
    pool, table = Pool(settings), Table()
    table.do(pool.start(0.0))
    hold_rules(pool, table)
    for now, (what, *words) in enumerate(events, 1):
        known = {server.key for server in pool.settings.servers}
        if what == "reload":
            [changed] = words
            assert isinstance(changed, PoolSettings)
            table.do(pool.reload(changed, float(now)))
            table.up = {one: up for one, up in table.up.items() if one in {server.key for server in changed.servers}}
            assert pool.reload(changed, float(now)) == []
        elif what == "grow":
            table.do(pool.grow(float(now)))
            assert (pool.next_step() or now + 1) > now
        elif words[0] not in known:
            continue
        elif what == "hold":
            table.do(pool.hold(words[0], words[1], float(now)))  # type: ignore[arg-type]
        else:
            key, checker, up, weight, standing = words
            table.do(pool.report(key, checker, up, float(now), weight=weight, standing=standing))  # type: ignore[arg-type]
        hold_rules(pool, table)
    table.do(pool.stop(1e6))
    assert table.weights == {}
    assert not pool.quorum_up
