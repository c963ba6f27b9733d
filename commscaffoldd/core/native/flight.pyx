"""Flights: one connection's batch of messages on its way out, encoded and sent without the GIL.

A flight belongs to the writer that has begun it; see `slot.pyx` for what happens when its connection closes meanwhile.
"""

from cpython.ref cimport Py_XINCREF
from libc.errno cimport EAGAIN, EINTR, ENOMEM, errno as c_errno
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, memset

from commscaffoldd.core.native.frames cimport encode, encode_header
from commscaffoldd.core.native.posix cimport MSG_DONTWAIT, MSG_NOSIGNAL, iovec, msghdr, send, sendmsg
from commscaffoldd.core.native.slot cimport Outbox

cdef extern from *:
    """
    /* Of an object that somebody holds a reference to, without the GIL. */
    static inline size_t commscaffoldd_bytes_size(PyObject *body) { return (size_t)((PyVarObject *)body)->ob_size; }
    static inline const uint8_t *commscaffoldd_bytes_data(PyObject *body) {
        return (const uint8_t *)((PyBytesObject *)body)->ob_sval;
    }
    """
    size_t PyBytes_SIZE_OF "commscaffoldd_bytes_size"(PyObject*) nogil
    const uint8_t* PyBytes_DATA_OF "commscaffoldd_bytes_data"(PyObject*) nogil

cdef enum:
    COPY_BELOW = 4096  # bodies smaller than this are copied behind their headers, larger ones sent from where they are
    PIECES = 512  # of one sendmsg; IOV_MAX is 1024


cdef bint begin_flight(NativeSlot slot, Flight* flight) noexcept:
    """Take what waits out of the slot, which is being written to from now on. False if there is nothing to do."""
    if slot.fd < 0 or slot._blocked or slot.writing or not (slot.outbox.count or slot.left.end > slot.left.start):
        return False
    memset(flight, 0, sizeof(Flight))
    flight.slot = <PyObject*> slot
    flight.header = <PyObject*> slot.header
    Py_XINCREF(flight.header)
    flight.shape = slot.shape
    flight.generation = slot.generation
    flight.fd = slot.fd
    flight.replies = slot.outbox.items
    flight.count = slot.outbox.count
    flight.left = slot.left
    memset(&slot.outbox, 0, sizeof(Outbox))
    memset(&slot.left, 0, sizeof(Unsent))
    slot.writing = True
    return True


cdef void fly(Flight* flight, uint8_t* scratch) noexcept nogil:
    """Encode and send. Touches the flight and nothing else, but the bodies' bytes, which it has references to."""
    cdef iovec[PIECES] pieces
    cdef int count = 0
    cdef size_t used = 0, header_size = flight.shape.header_size, size
    cdef Py_ssize_t index = 0
    cdef const uint8_t* body
    if flight.left.end > flight.left.start:
        if encode_rest(flight, 0):
            send_left(flight)
        return
    while index < flight.count:
        size = PyBytes_SIZE_OF(flight.replies[index].body)
        body = PyBytes_DATA_OF(flight.replies[index].body)
        if used + header_size + COPY_BELOW > SCRATCH_SIZE or count + 2 > PIECES:
            if not send_pieces(flight, pieces, count, index):
                return
            used = count = 0
        encode_header(
            scratch + used, flight.shape, flight.replies[index].message_id, flight.replies[index].sequence, body, size
        )
        if count and <uint8_t*> pieces[count - 1].iov_base + pieces[count - 1].iov_len == scratch + used:
            pieces[count - 1].iov_len += header_size
        else:
            pieces[count].iov_base, pieces[count].iov_len = scratch + used, header_size
            count += 1
        used += header_size
        if size < COPY_BELOW:
            memcpy(scratch + used, body, size)
            pieces[count - 1].iov_len += size
            used += size
        else:
            pieces[count].iov_base, pieces[count].iov_len = <void*> body, size
            count += 1
        index += 1
    send_pieces(flight, pieces, count, index)


cdef bint send_pieces(Flight* flight, iovec* pieces, int count, Py_ssize_t encoded) noexcept nogil:
    """Send; what the socket does not take is copied, with all replies from `encoded` on. False if it is full."""
    cdef msghdr message
    cdef size_t total = 0, taken, size
    cdef ssize_t sent
    cdef int index
    for index in range(count):
        total += pieces[index].iov_len
    memset(&message, 0, sizeof(message))
    message.msg_iov = pieces
    message.msg_iovlen = count
    while True:
        flight.sends += 1
        if count == 1:
            sent = send(flight.fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
        else:
            sent = sendmsg(flight.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT)
        if sent >= 0 or c_errno != EINTR:
            break
    if sent < 0:
        if c_errno != EAGAIN:
            flight.error = c_errno
            return False
        sent = 0
    flight.sent += sent
    if <size_t> sent == total:
        return True
    flight.full = True
    taken = sent
    for index in range(count):
        size = pieces[index].iov_len
        if taken >= size:
            taken -= size
        elif append_left(flight, <uint8_t*> pieces[index].iov_base + taken, size - taken):
            taken = 0
        else:
            return False
    encode_rest(flight, encoded)
    return False


cdef bint reserve_left(Flight* flight, size_t more) noexcept nogil:
    cdef Unsent* left = &flight.left
    cdef uint8_t* data
    if left.start:
        memmove(left.data, left.data + left.start, left.end - left.start)
        left.end -= left.start
        left.start = 0
    data = <uint8_t*> realloc(left.data, left.end + more)
    if data == NULL:
        flight.error = ENOMEM
        return False
    left.data = data
    return True


cdef bint append_left(Flight* flight, const uint8_t* data, size_t size) noexcept nogil:
    if not reserve_left(flight, size):
        return False
    memcpy(flight.left.data + flight.left.end, data, size)
    flight.left.end += size
    return True


cdef bint encode_rest(Flight* flight, Py_ssize_t index) noexcept nogil:
    """Encode the replies from this one on behind what is left. False if there is no memory."""
    cdef size_t total = 0, size
    cdef Py_ssize_t at
    if index >= flight.count:
        return True
    for at in range(index, flight.count):
        total += flight.shape.header_size + PyBytes_SIZE_OF(flight.replies[at].body)
    if not reserve_left(flight, total):
        return False
    for at in range(index, flight.count):
        size = encode(
            flight.left.data + flight.left.end,
            flight.shape,
            flight.replies[at].message_id,
            flight.replies[at].sequence,
            PyBytes_DATA_OF(flight.replies[at].body),
            PyBytes_SIZE_OF(flight.replies[at].body),
        )
        flight.left.end += size
    return True


cdef void send_left(Flight* flight) noexcept nogil:
    """Send what an earlier flight has left."""
    cdef Unsent* left = &flight.left
    cdef ssize_t sent
    while left.end > left.start:
        flight.sends += 1
        sent = send(flight.fd, left.data + left.start, left.end - left.start, MSG_NOSIGNAL | MSG_DONTWAIT)
        if sent < 0:
            if c_errno == EINTR:
                continue
            if c_errno == EAGAIN:
                flight.full = True
            else:
                flight.error = c_errno
            return
        flight.sent += sent
        left.start += sent
        if left.start < left.end:
            flight.full = True
            return
    free(left.data)
    memset(left, 0, sizeof(Unsent))
