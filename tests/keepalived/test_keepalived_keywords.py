"""The schema, and the page of the manual that is made from it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from directrix.keepalived.manual import State, page, rows
from directrix.keepalived.parts import defaults
from directrix.keepalived.schema.global_words import GLOBAL_DEFS
from directrix.keepalived.schema.server_words import REAL_SERVER, VIRTUAL_SERVER
from directrix.keepalived.schema.top import TOP
from directrix.keepalived.schema.vrrp_words import INSTANCE, SYNC_GROUP
from directrix.keepalived.values import (
    Configuration,
    GlobalDefinitions,
    RealServer,
    SyncGroup,
    VirtualServer,
    VrrpInstance,
)
from directrix.keepalived.words import Block, Walk

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_manual_lists_every_keyword_as_the_schema_has_it() -> None:
    assert (ROOT / "docs" / "keepalived-keywords.md").read_text() == page(), "run scripts/keywords"


def test_no_spelling_is_given_twice_in_a_block_and_every_keyword_has_a_meaning() -> None:
    for _, block in Walk().over(TOP):
        spellings = [spelling for keyword in block.keywords for spelling in keyword.spellings]
        assert len(spellings) == len(set(spellings)), block.title
    assert all(row.meaning for row in rows())


@pytest.mark.parametrize(
    ("block", "cls", "others"),
    [
        (TOP, Configuration, {"globals"}),
        (GLOBAL_DEFS, GlobalDefinitions, {"net_namespace", "net_namespace_ipvs", "instance"}),
        (INSTANCE, VrrpInstance, {"name", "family"}),
        (SYNC_GROUP, SyncGroup, {"name", "notify.master_rx_lower_pri"}),
        (VIRTUAL_SERVER, VirtualServer, {"address", "port", "fwmark", "group"}),
        (REAL_SERVER, RealServer, {"address", "port"}),
    ],
    ids=lambda each: getattr(each, "title", None) or getattr(each, "__name__", ""),
)
def test_every_field_of_a_value_is_filled_by_some_keyword(block: Block, cls: type, others: set[str]) -> None:
    filled = {name for keyword in block.keywords for name in keyword.fields}
    known = set(defaults(cls)) | {each.name for each in fields(cls)}
    parts = {name.partition(".")[0] for name in known if "." in name}
    wanted = {name for name in known if name not in parts and not name.startswith("globals.")}
    assert wanted - filled - others == set()


@pytest.mark.skipif(shutil.which("man") is None, reason="there is no man")
def test_every_keyword_of_keepalived_s_manual_is_known() -> None:
    run = subprocess.run(
        ["man", "keepalived.conf"],
        capture_output=True,
        text=True,
        check=False,
        env={"MANWIDTH": "200", "PATH": "/usr/bin:/bin"},
    )
    if run.returncode:
        pytest.skip("keepalived's manual is not installed")
    text = re.sub(r".\x08", "", run.stdout)
    known = {spelling for row in rows() for spelling in row.keyword.spellings}
    # a word of the manual's examples with its arguments; those that stand in lines of their own are no keywords
    beginnings = (
        "vrrp|lvs|smtp|notify|track|garp|regex|unicast|virtual|sorry|static|process|reload|enable|nftables|misc"
    )
    told = set(re.findall(rf"^ +((?:{beginnings})_\w+)", text, re.MULTILINE))
    assert len(told) > 80
    assert told - known - OF_THE_TEXT == set()


OF_THE_TEXT = {
    "vrrp_track_file",
    "vrrp_lower_priority_dont_send_advert",
    "garp_lower_priority_repeat",
    "virtual_routers",
    "virtual_ipaddresses",
}
"""Words that the manual's prose has at the beginning of a line."""


def test_keywords_have_one_of_three_states() -> None:
    states = {row.state for row in rows()}
    assert states == set(State)
    ours = {row.keyword.name for row in rows() if row.state is State.OURS}
    passive = {"passive_health", "out_below", "back_above", "sample", "most_out", "hold", "hold_most"}
    drain = {"drain", "deadline", "then", "udp"}
    budget = {"budget", "rate", "source_rate", "source_prefix", "source_prefix6"}
    mail = {"smtp_tls", "smtp_user", "smtp_password"}
    assert ours == {"DR_CHECK", "AGENT_CHECK", "slow_start", *mail, *passive, *drain, *budget}
