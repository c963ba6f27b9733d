"""Frames in C: cutting a stream into them, checking them, encoding them.

The same as `framing.FrameReader` and `Layout.encode`, whose invariants hold here too: a length is checked before
anything of its body is kept, and what is kept is less than one frame of the largest body that is accepted.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from commscaffoldd.core.native.header cimport Header, read_field, write_header

cdef extern from "crc32.h":
    void crc32_prepare() nogil
    uint32_t crc32_of(const uint8_t* data, size_t size) nogil

crc32_prepare()

cdef size_t FIRST_FRAMES = 256


cdef bint reserve(Frames* frames, size_t more) noexcept nogil:
    """Make room for so many more frames; false if there is no memory."""
    cdef size_t capacity = frames.capacity or FIRST_FRAMES
    cdef Frame* items
    if frames.count + more <= frames.capacity:
        return True
    while capacity < frames.count + more:
        capacity *= 2
    items = <Frame*> realloc(frames.items, capacity * sizeof(Frame))
    if items == NULL:
        return False
    frames.items = items
    frames.capacity = capacity
    return True


cdef void cut(const Shape* shape, const uint8_t* data, size_t size, Frames* frames, Cut* result) noexcept nogil:
    """Append all whole frames in `data`. Reads `data[:size]` and nothing else; stops at the first fault."""
    cdef size_t header_size = shape.header_size
    cdef size_t at = 0, body_size
    cdef uint64_t length, found
    cdef uint32_t crc
    cdef const uint8_t* header
    cdef Frame* frame
    cdef int index
    memset(result, 0, sizeof(Cut))
    result.needed = header_size
    while size - at >= header_size:
        header = data + at
        for index in range(shape.magics):
            found = read_field(header, &shape.magic[index], shape.swap)
            if found != shape.magic_value[index]:
                result.fault, result.found, result.expected = BAD_MAGIC, found, shape.magic_value[index]
                result.used = at
                return
        length = read_field(header, &shape.length, shape.swap)
        # Unsigned and signed, and an adjustment: compared so that nothing can overflow.
        if length > <uint64_t> (INT64_MAX >> 1) or <int64_t> length + shape.body_offset > shape.max_body \
                or <int64_t> length + shape.body_offset < 0:
            result.fault, result.found = BAD_LENGTH, length
            result.used = at
            return
        body_size = <size_t> (<int64_t> length + shape.body_offset)
        if size - at - header_size < body_size:
            result.needed = header_size + body_size
            break
        at += header_size + body_size
        if shape.crc.width:
            found = read_field(header, &shape.crc, shape.swap)
            crc = crc32_of(header + header_size, body_size)
            if crc != found:
                if shape.drop_bad_checksums:
                    result.dropped += 1
                    continue
                result.fault, result.found, result.expected = BAD_CHECKSUM, found, crc
                result.used = at
                return
        if frames.count == frames.capacity and not reserve(frames, 1):
            result.fault = NO_MEMORY
            result.used = at
            return
        frame = &frames.items[frames.count]
        frames.count += 1
        frame.message_id = read_field(header, &shape.id, shape.swap) if shape.id.width else shape.default_id
        frame.sequence = read_field(header, &shape.sequence, shape.swap)
        frame.body = header + header_size
        frame.size = body_size
    result.used = at


cdef bint make_room(Kept* kept, size_t capacity) noexcept nogil:
    """Have room for so many bytes in all; false if there is no memory."""
    cdef uint8_t* data
    if kept.capacity < capacity:
        data = <uint8_t*> realloc(kept.data, capacity)
        if data == NULL:
            return False
        kept.data = data
        kept.capacity = capacity
    return True


cdef bint keep(Kept* kept, const uint8_t* data, size_t size, size_t needed) noexcept nogil:
    """Keep this beginning of a frame instead of what was kept; nothing of size 0. False if there is no memory.

    `data` must not be inside of what was kept.
    """
    if size == 0:
        drop_kept(kept)
        return True
    if kept.capacity > 4 * size and kept.capacity > 4096:  # a large frame's buffer is not held for a small one
        drop_kept(kept)
    if not make_room(kept, size):
        return False
    memcpy(kept.data, data, size)
    kept.size = size
    kept.needed = needed
    return True


cdef void drop_kept(Kept* kept) noexcept nogil:
    """Give the buffer back."""
    free(kept.data)
    memset(kept, 0, sizeof(Kept))


cdef void encode_header(
    uint8_t* where, const Shape* shape, uint64_t message_id, uint64_t sequence, const uint8_t* body, size_t size
) noexcept nogil:
    """Write the header of a frame with this body, `shape.header_size` bytes."""
    write_header(where, shape, size, message_id, sequence, crc32_of(body, size) if shape.crc.width else 0)


cdef size_t encode(
    uint8_t* where, const Shape* shape, uint64_t message_id, uint64_t sequence, const uint8_t* body, size_t size
) noexcept nogil:
    """Write a frame; give its size. The caller has made room, and checked that all of it fits the layout."""
    encode_header(where, shape, message_id, sequence, body, size)
    memcpy(where + shape.header_size, body, size)
    return shape.header_size + size


def crc32(const uint8_t[::1] data not None):
    """The CRC-32 that frames are checked with, for tests: the same as `zlib.crc32`."""
    return crc32_of(&data[0], data.shape[0]) if data.shape[0] else crc32_of(NULL, 0)


def encode_frame(Header header not None, uint64_t message_id, uint64_t sequence, bytes body not None):
    """One frame as the engine writes it, for tests: the same as `Layout.encode` where that raises nothing."""
    cdef size_t size = PyBytes_GET_SIZE(body)
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, header.shape.header_size + size)
    encode(
        <uint8_t*> PyBytes_AS_STRING(frame), &header.shape, message_id, sequence, <uint8_t*> PyBytes_AS_STRING(body), size
    )
    return frame


cdef class Cutter:
    """Cuts one stream, as the engine does, without a socket: for tests, which compare it with `FrameReader`.

    Each piece of the stream is copied into memory of exactly its size, so that a memory checker sees what is read
    beyond its end.
    """

    cdef Header _header
    cdef Kept _kept
    cdef Frames _frames
    cdef readonly size_t dropped
    cdef tuple _fault

    def __cinit__(self, Header header not None):
        self._header = header

    def __dealloc__(self):
        drop_kept(&self._kept)
        free(self._frames.items)

    @property
    def buffered(self):
        """Bytes of an incomplete frame that are kept."""
        return self._kept.size

    def feed(self, bytes data not None):
        """Take the next bytes; give whole frames as tuples, and why it cannot go on: (fault, found, expected)."""
        cdef size_t size = self._kept.size + PyBytes_GET_SIZE(data)
        cdef uint8_t* joined
        cdef Cut result
        cdef Frame* frame
        cdef size_t index
        if self._fault is not None:
            return [], self._fault
        if size == 0:
            return [], None
        joined = <uint8_t*> malloc(size)
        if joined == NULL:
            raise MemoryError
        try:
            if self._kept.size:
                memcpy(joined, self._kept.data, self._kept.size)
            memcpy(joined + self._kept.size, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
            self._frames.count = 0
            cut(&self._header.shape, joined, size, &self._frames, &result)
            if result.fault == NO_MEMORY:
                raise MemoryError
            self.dropped += result.dropped
            found = []
            for index in range(self._frames.count):
                frame = &self._frames.items[index]
                body = PyBytes_FromStringAndSize(<char*> frame.body, frame.size)
                found.append((frame.message_id, frame.sequence, body))
            if result.fault != NO_FAULT:
                drop_kept(&self._kept)
                self._fault = (result.fault, result.found, result.expected)
            elif not keep(&self._kept, joined + result.used, size - result.used, result.needed):
                raise MemoryError
            return found, self._fault
        finally:
            free(joined)
