"""Header layouts and listeners as the catalogue has them, and back."""

from __future__ import annotations

from commscaffoldd.catalogue.model import HeaderField, HeaderLayout, Listener
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.layout import Layout, LayoutSpec


def describe_layout(layout: Layout) -> HeaderLayout:
    """A layout as data."""
    fields: list[HeaderField] = []
    offset = 0
    for one in layout.fields:
        fields.append(HeaderField(one.name, offset, one.bits, one.value if one.name == "magic" else None))
        offset += one.bits // 8
    return HeaderLayout(
        name=layout.name,
        fields=tuple(fields),
        byte_order=layout.spec.byte_order,
        length_counts=layout.spec.length_counts,
        length_adjustment=layout.spec.length_adjustment,
        header_size=layout.header_size,
        body_offset=layout.body_offset,
        min_body=layout.min_body,
        max_body=layout.max_body,
    )


def restore_layout(found: HeaderLayout) -> Layout:
    """The layout that encodes and cuts frames, from its data. Raises LayoutError if that is inconsistent."""
    return Layout.from_spec(found.name, layout_spec(found))


def layout_spec(found: HeaderLayout) -> LayoutSpec:
    """A layout as it is configured."""
    return LayoutSpec(
        fields=tuple(_configured(one) for one in found.fields),
        byte_order="little" if found.byte_order == "little" else "big",
        length_counts="frame" if found.length_counts == "frame" else "body",
        length_adjustment=found.length_adjustment,
    )


def describe_listener(endpoint: Endpoint) -> Listener:
    """A listener as data."""
    return Listener(
        endpoint.address, endpoint.layout.name, endpoint.default_id, endpoint.error_id, endpoint.go_away_id
    )


def _configured(field: HeaderField) -> str:
    value = "" if field.value is None else f"={field.value:#x}"
    return f"{field.name}:u{field.bits}{value}"
