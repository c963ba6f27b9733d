"""The target: one input, cut by the engine's own code, as a whole and in pieces, and what must hold then.

An input is: the layout's number; options (bit 0: drop bad checksums, bit 1: wait for as many bytes as the cutter says
that it needs, bits 2 and 3: which `max_body`); how many split points; those, two bytes each, little-endian, as sizes of
pieces; the stream. Each piece lies in memory of exactly its size, so that AddressSanitizer sees what is read beyond it.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport abort, free, malloc
from libc.string cimport memcmp, memcpy, memset

from commscaffoldd.core.native.frames cimport (
    NO_FAULT,
    NO_MEMORY,
    Cut,
    Frame,
    Frames,
    Kept,
    cut,
    drop_kept,
    encode,
    keep,
)
from commscaffoldd.core.native.header cimport Header, Shape

cdef enum Failure:
    FINE = 0
    USED_TOO_MUCH
    BODY_TOO_LARGE
    BODY_OUTSIDE
    LOST_BYTES
    KEPT_TOO_MUCH
    CAPACITY_TOO_LARGE
    NEEDED_TOO_LITTLE
    NEEDED_TOO_MUCH
    DIFFERENT_FRAMES
    DIFFERENT_FAULT
    DIFFERENT_REST
    NOT_THE_SAME_AGAIN
    OUT_OF_MEMORY

FAILURES = (
    "nothing",
    "more bytes are used than there are",
    "a body is above max_body",
    "a body lies outside of what was cut",
    "frames and kept bytes are not all that was fed",
    "more is kept than one frame",
    "the buffer of what is kept is too large for it",
    "it needs no more than it has, and does not go on",
    "it asks for more than one frame",
    "other frames, or another number of dropped ones, for another split",
    "another fault for another split",
    "other bytes kept for another split",
    "a frame that was cut, encoded and cut again is another one",
    "no memory",
)

cdef enum:
    AGAIN = 1  # frames of a piece that are encoded and cut again
    SMALL_BUFFER = 4096  # see frames.keep

cdef struct Reading:  # what came of a stream
    Failure failure
    uint64_t frames
    uint64_t digest  # of all frames
    uint64_t dropped
    int fault
    uint64_t found
    uint64_t expected
    size_t kept

cdef Shape[MOST_LAYOUTS] shapes
cdef int shapes_count = 0
cdef size_t[4] LARGEST = [1, 70, 1000, 1 << 20]


def set_layouts(headers):
    """The layouts that inputs choose from, as `Header`s."""
    global shapes_count
    shapes_count = 0
    for header in headers:
        if shapes_count == MOST_LAYOUTS:
            raise ValueError(f"{len(headers)} layouts; allowed: at most {MOST_LAYOUTS}")
        shapes[shapes_count] = (<Header?> header).shape
        shapes_count += 1


def check(bytes data not None):
    """Execute one input. Returns what was wrong, or `None`."""
    failure = execute(data, len(data))
    return FAILURES[failure] if failure else None


cdef bint choose_shape(const uint8_t* data, size_t size, Shape* shape) noexcept nogil:
    """The layout that an input chooses; false if it is too short to choose."""
    if size < HEAD:
        return False
    memcpy(shape, &shapes[data[0] % shapes_count], sizeof(Shape))
    shape.drop_bad_checksums = data[1] & 1
    shape.max_body = LARGEST[data[1] >> 2 & 3]
    return True


cdef size_t stream_at(const uint8_t* data, size_t size) noexcept nogil:
    """Where the stream begins in an input that is long enough to choose a layout; at most `size`."""
    return min(size, <size_t> (HEAD + 2 * (data[2] % MOST_SPLITS)))


cdef int execute(const uint8_t* data, size_t size) noexcept nogil:
    """Execute one input; give a `Failure`."""
    cdef Shape shape
    cdef Reading whole, split
    cdef size_t at
    if not choose_shape(data, size, &shape):
        return FINE
    at = stream_at(data, size)
    read_stream(&shape, data + at, size - at, NULL, 0, False, &whole)
    if whole.failure:
        return whole.failure
    read_stream(&shape, data + at, size - at, data + HEAD, (at - HEAD) // 2, data[1] & 2, &split)
    if split.failure:
        return split.failure
    if whole.frames != split.frames or whole.digest != split.digest or whole.dropped != split.dropped:
        return DIFFERENT_FRAMES
    if whole.fault != split.fault or whole.found != split.found or whole.expected != split.expected:
        return DIFFERENT_FAULT
    if whole.kept != split.kept:
        return DIFFERENT_REST
    return FINE


cdef void read_stream(
    const Shape* shape, const uint8_t* stream, size_t size, const uint8_t* splits, size_t count, bint patient,
    Reading* reading
) noexcept nogil:
    """Cut a stream as the engine does, in pieces of the sizes that `splits` gives, and the rest at once."""
    cdef Kept kept
    cdef Frames frames
    cdef size_t at = 0, piece, number = 0
    memset(&kept, 0, sizeof(Kept))
    memset(&frames, 0, sizeof(Frames))
    memset(reading, 0, sizeof(Reading))
    while at < size and not reading.fault and not reading.failure:
        piece = size - at
        if number < count:
            piece = min(piece, <size_t> splits[2 * number] | <size_t> splits[2 * number + 1] << 8)
            number += 1
        if piece:
            read_piece(shape, stream + at, piece, patient, &kept, &frames, reading)
            at += piece
    reading.kept = kept.size
    drop_kept(&kept)
    free(frames.items)


cdef void read_piece(
    const Shape* shape, const uint8_t* data, size_t size, bint patient, Kept* kept, Frames* frames, Reading* reading
) noexcept nogil:
    cdef size_t joined_size = kept.size + size, index, bodies = 0, limit
    cdef uint8_t* joined = <uint8_t*> malloc(joined_size)
    cdef Cut result
    if joined == NULL:
        abort()
    if kept.size:
        memcpy(joined, kept.data, kept.size)
    memcpy(joined + kept.size, data, size)
    frames.count = 0
    if patient and joined_size < kept.needed:  # as the engine: cutting makes no sense yet
        memset(&result, 0, sizeof(Cut))
        result.needed = kept.needed
    else:
        cut(shape, joined, joined_size, frames, &result)
    for index in range(frames.count):
        bodies += shape.header_size + frames.items[index].size
        note_frame(shape, &frames.items[index], joined, joined_size, index, reading)
    reading.frames += frames.count
    reading.dropped += result.dropped
    limit = shape.header_size + <size_t> shape.max_body
    if result.used > joined_size or bodies > result.used:
        fail(reading, USED_TOO_MUCH)
    elif result.fault == NO_MEMORY:
        fail(reading, OUT_OF_MEMORY)
    elif result.fault != NO_FAULT:
        reading.fault, reading.found, reading.expected = <int> result.fault, result.found, result.expected
        drop_kept(kept)
    else:
        if not result.dropped and bodies != result.used:
            fail(reading, LOST_BYTES)
        if not keep(kept, joined + result.used, joined_size - result.used, result.needed):
            fail(reading, OUT_OF_MEMORY)
        elif kept.size != joined_size - result.used:
            fail(reading, LOST_BYTES)
        elif kept.size and memcmp(kept.data, joined + result.used, kept.size) != 0:
            fail(reading, LOST_BYTES)
        elif kept.size >= limit:
            fail(reading, KEPT_TOO_MUCH)
        elif kept.capacity > max(<size_t> SMALL_BUFFER, 4 * kept.size):
            fail(reading, CAPACITY_TOO_LARGE)
        elif kept.size >= result.needed:
            fail(reading, NEEDED_TOO_LITTLE)
        elif result.needed > limit:
            fail(reading, NEEDED_TOO_MUCH)
    free(joined)


cdef void note_frame(
    const Shape* shape, const Frame* frame, const uint8_t* data, size_t size, size_t index, Reading* reading
) noexcept nogil:
    """Check a frame, and add it to the digest (FNV-1a)."""
    cdef uint64_t digest = reading.digest ^ frame.size
    cdef size_t at
    if frame.size > <size_t> shape.max_body:
        fail(reading, BODY_TOO_LARGE)
        return
    if frame.body < data + shape.header_size or frame.body + frame.size > data + size:
        fail(reading, BODY_OUTSIDE)
        return
    digest = (digest ^ frame.message_id) * <uint64_t> 0x100000001b3
    digest = (digest ^ frame.sequence) * <uint64_t> 0x100000001b3
    for at in range(frame.size):
        digest = (digest ^ frame.body[at]) * <uint64_t> 0x100000001b3
    reading.digest = digest
    if index < AGAIN:
        cut_again(shape, frame, reading)


cdef void cut_again(const Shape* shape, const Frame* frame, Reading* reading) noexcept nogil:
    """What `encode` makes of a frame must be cut as the same frame."""
    cdef size_t size = shape.header_size + frame.size
    cdef uint8_t* encoded = <uint8_t*> malloc(size)
    cdef Frame[2] room
    cdef Frames frames
    cdef Cut result
    if encoded == NULL:
        abort()
    frames.items, frames.count, frames.capacity = room, 0, 2
    if encode(encoded, shape, frame.message_id, frame.sequence, frame.body, frame.size) != size:
        fail(reading, NOT_THE_SAME_AGAIN)
    else:
        cut(shape, encoded, size, &frames, &result)
        if (
            result.fault != NO_FAULT
            or result.used != size
            or frames.count != 1
            or room[0].message_id != frame.message_id
            or room[0].sequence != frame.sequence
            or room[0].size != frame.size
            or memcmp(room[0].body, frame.body, frame.size) != 0
        ):
            fail(reading, NOT_THE_SAME_AGAIN)
    free(encoded)


cdef void fail(Reading* reading, Failure failure) noexcept nogil:
    if not reading.failure:
        reading.failure = failure
