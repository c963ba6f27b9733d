"""A catalogue for tests: several layouts, and a message of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from commscaffoldd.catalogue.making import BodyFacts, HandlerFacts, make_catalogue
from commscaffoldd.catalogue.model import Catalogue, Limits
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.catalogue import bodies

MINE = Layout(
    "mine",
    LayoutSpec(
        fields=("magic:u16=0xCAFE", "length:u24", "id:u16", "sequence:u64", "skip:u8"),
        byte_order="little",
        length_counts="frame",
    ),
)
"""A layout that has what no preset has."""


def facts(
    message_id: int,
    name: str,
    body: Any,
    reply: Any,
    form: str = "msgpack",
    *,
    doc: str = "",
    stream: bool = False,
    open: bool = False,  # noqa: A002  # as the catalogue calls it
) -> HandlerFacts:
    """A handler, briefly; a reply that is `...` is none."""

    def of(kind: Any) -> BodyFacts:
        return BodyFacts({bytes: "bytes", str: "str"}.get(kind, form), kind)

    return HandlerFacts(
        id=message_id,
        name=name,
        plugin="sample",
        timeout=30.0,
        doc=doc,
        body=of(body),
        reply=None if reply is ... else of(reply),
        stream=stream,
        open=open,
    )


HANDLERS = (
    facts(1, "echo", bytes, bytes, doc="The body comes back.", open=True),
    facts(10, "greet", bodies.Greeting, bodies.Answer, doc="Say hello.\n\nAs often as `times` says."),
    facts(11, "greet", bodies.Greeting, bodies.Answer, "json", doc="The same, in JSON."),
    facts(12, "shout", str, str, doc="In capitals. <script>alert('no')</script> | not *this*"),
    facts(13, "everything", bodies.Everything, bodies.Everything),
    facts(14, "everything_json", bodies.Everything, bodies.Everything, "json"),
    facts(15, "forget", bodies.Point, ..., doc="No reply."),
    facts(16, "count", int, int, stream=True, doc="Counts up to the number."),
    facts(17, "delete", bodies.Circle | bodies.Rect, bodies.Tree),
)


def sample(
    layouts: Sequence[Layout] = (PRESETS["standard"], PRESETS["compact"], MINE, PRESETS["erlang"]),
    handlers: Sequence[HandlerFacts] = HANDLERS,
    addresses: Sequence[str] = (),
) -> Catalogue:
    """A catalogue with a listener for each layout, by default on ports from 9000 on."""
    return make_catalogue(
        title="Sample",
        daemon_version="1.2.3",
        endpoints=[
            Endpoint.make(address, layout, default_id=1, control_ids=False)
            for address, layout in zip(
                addresses or [f"127.0.0.1:{9000 + n}" for n in range(len(layouts))], layouts, strict=True
            )
        ],
        limits=Limits(1 << 20, 10.0, 20.0, 60.0, 2000.0, 4000),
        handlers=handlers,
    )
