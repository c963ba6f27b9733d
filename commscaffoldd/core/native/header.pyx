"""Header layouts in C, made from `layout.Layout` once for each listener."""

from commscaffoldd.core.layout import MAX_FIELDS

assert MAX_FIELDS == MAX_MAGICS, "header.pxd and layout.py differ in the number of fields"


cdef class Header:
    """One endpoint's header layout. Immutable; any thread may use it."""

    def __cinit__(self, layout, *, int64_t max_body, uint64_t default_id=1, bint drop_bad_checksums=False):
        """The layout, with the limits and the policy of `[frame]`.

        Args:
            layout: a `Layout`.
            max_body: the largest body, in bytes, that is accepted.
            default_id: the message ID of frames where the layout has none.
            drop_bad_checksums: leave such frames out and go on, instead of ending with an error.
        """
        cdef Shape* shape = &self.shape
        cdef Place place
        cdef size_t offset = 0
        shape.header_size = layout.header_size
        shape.body_offset = layout.body_offset
        shape.max_body = max_body
        shape.default_id = default_id
        shape.drop_bad_checksums = drop_bad_checksums
        shape.swap = (layout.spec.byte_order == "little") != HOST_LITTLE
        for field in layout.fields:
            place.offset = offset
            place.width = field.bits // 8
            offset += place.width
            if field.name == "length":
                shape.length = place
            elif field.name == "id":
                shape.id = place
            elif field.name == "sequence":
                shape.sequence = place
            elif field.name == "crc32":
                shape.crc = place
            elif field.name == "magic":
                shape.magic[shape.magics] = place
                shape.magic_value[shape.magics] = field.value
                shape.magics += 1
        assert offset == shape.header_size, "a header is its fields"
        self.min_sent = layout.min_body
        self.max_sent = min(layout.max_body, <int64_t> 0x7FFFFFFFFFFFFFFF)
        self.max_id = layout.max_id if layout.has_id else <uint64_t> 0xFFFFFFFFFFFFFFFF
