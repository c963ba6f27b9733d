# Header layouts in C: where each field stands, and reading and writing them. Nothing here needs the GIL.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    #define COMMSCAFFOLDD_HOST_LITTLE 1
    #else
    #define COMMSCAFFOLDD_HOST_LITTLE 0
    #endif
    """
    const bint HOST_LITTLE "COMMSCAFFOLDD_HOST_LITTLE"
    uint16_t bswap16 "__builtin_bswap16"(uint16_t) nogil
    uint32_t bswap32 "__builtin_bswap32"(uint32_t) nogil
    uint64_t bswap64 "__builtin_bswap64"(uint64_t) nogil

cdef enum:
    MAX_MAGICS = 32  # layout.MAX_FIELDS

cdef struct Place:  # where a field stands in the header
    uint16_t offset
    uint16_t width  # bytes; 0: the header has no such field

cdef struct Shape:
    size_t header_size
    int64_t body_offset  # added to the length field's value to get the body's size
    int64_t max_body  # that is accepted
    uint64_t default_id  # of messages where the header has no ID
    bint swap  # the wire's byte order is not this machine's
    bint drop_bad_checksums
    Place length
    Place id
    Place sequence
    Place crc
    int magics
    Place magic[MAX_MAGICS]
    uint64_t magic_value[MAX_MAGICS]


cdef class Header:
    # One endpoint's header layout, with the limits of what may be received and sent.
    cdef Shape shape
    cdef int64_t min_sent  # the smallest and the largest body that the layout can express
    cdef int64_t max_sent
    cdef uint64_t max_id


cdef inline uint64_t read_field(const uint8_t* header, const Place* place, bint swap) noexcept nogil:
    """The field's value; 0 if the header has no such field."""
    cdef const uint8_t* at = header + place.offset
    cdef uint64_t wide
    cdef uint32_t word
    cdef uint16_t half
    if place.width == 4:
        memcpy(&word, at, 4)
        return bswap32(word) if swap else word
    if place.width == 2:
        memcpy(&half, at, 2)
        return bswap16(half) if swap else half
    if place.width == 1:
        return at[0]
    if place.width == 8:
        memcpy(&wide, at, 8)
        return bswap64(wide) if swap else wide
    if place.width == 3:
        if swap == HOST_LITTLE:  # big-endian on the wire
            return (<uint64_t> at[0] << 16) | (<uint64_t> at[1] << 8) | at[2]
        return (<uint64_t> at[2] << 16) | (<uint64_t> at[1] << 8) | at[0]
    return 0


cdef inline void write_field(uint8_t* header, const Place* place, bint swap, uint64_t value) noexcept nogil:
    """Write a field, if the header has it."""
    cdef uint8_t* at = header + place.offset
    cdef uint64_t wide
    cdef uint32_t word
    cdef uint16_t half
    if place.width == 4:
        word = bswap32(<uint32_t> value) if swap else <uint32_t> value
        memcpy(at, &word, 4)
    elif place.width == 2:
        half = bswap16(<uint16_t> value) if swap else <uint16_t> value
        memcpy(at, &half, 2)
    elif place.width == 1:
        at[0] = <uint8_t> value
    elif place.width == 8:
        wide = bswap64(value) if swap else value
        memcpy(at, &wide, 8)
    elif place.width == 3:
        if swap == HOST_LITTLE:
            at[0], at[1], at[2] = <uint8_t> (value >> 16), <uint8_t> (value >> 8), <uint8_t> value
        else:
            at[2], at[1], at[0] = <uint8_t> (value >> 16), <uint8_t> (value >> 8), <uint8_t> value


cdef inline void write_header(
    uint8_t* header, const Shape* shape, size_t body_size, uint64_t message_id, uint64_t sequence, uint32_t crc
) noexcept nogil:
    """Write a whole header. The caller has checked that all of it fits."""
    cdef int index
    memset(header, 0, shape.header_size)  # skipped fields are zero
    write_field(header, &shape.length, shape.swap, <uint64_t> (<int64_t> body_size - shape.body_offset))
    write_field(header, &shape.id, shape.swap, message_id)
    write_field(header, &shape.sequence, shape.swap, sequence)
    write_field(header, &shape.crc, shape.swap, crc)
    for index in range(shape.magics):
        write_field(header, &shape.magic[index], shape.swap, shape.magic_value[index])
