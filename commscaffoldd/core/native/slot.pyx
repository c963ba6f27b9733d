"""A slot of the native path: what `slot.Slot` is, with the hot part of it in C.

Ownership, and which thread may do what:

- **The GIL is the lock.** Whatever here runs with the GIL and calls no Python code is one step for all other threads:
  `put` (generation, outbox, unsent), `submit`, `disown_if_done`, `park`, `cut_off`. References are dropped
  last, because dropping one may run somebody's code, and that may let another thread in. So may making an object
  that the garbage collector knows, until Python 3.12: what a step needs is made before it begins.
- **Without the GIL** two things happen. The reactor waits, receives and cuts (`wire.Wire.wait`): it uses `fd`, `kept`,
  `shape`, and reads `unsent` and the number of waiting messages, which may be old by a moment. A writer (the sender's
  thread, see `sending.pyx`, or who calls `Engine.write`) encodes and sends flights, see `writer.pyx`: what it sends, and
  a copy of the descriptor, have been taken out of the slot before, with the GIL, and `writing` has been set.
- **`writing`** makes writers exclude each other: no second flight of a slot begins before the first has landed, and
  who lands it sees to what has been put into the outbox meanwhile. So replies leave in the order in which they were put.
- **Closing while somebody writes.** `cut_off` raises the generation and forgets the descriptor, but leaves it open: the
  kernel cannot give it to another client while the writer still sends to it. The writer finds another
  generation when it comes back, and closes the descriptor itself. What it has sent until then has gone to the old
  client; what it has not goes nowhere. A reply that is put after the closing finds another generation: `put`
  says so, and the reply is counted as late.
- **`owned`** is the right to run this connection's messages, as the Python slot's `owner`; a flag is enough here.
- **`pending`** is one list for the slot's life: appended to by the reactor, consumed by who has the right.
- Slots live as long as the connection pool, so epoll's and the wire's plain pointers to them stay valid.
"""

import operator

from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from commscaffoldd.core import reasons
from commscaffoldd.core.slot import HARD_LIMIT, State, as_body

from commscaffoldd.core.native.clock cimport seconds
from commscaffoldd.core.native.frames cimport drop_kept

cdef tuple STATES = (State.FREE, State.OPEN, State.DRAINING, State.LINGERING, State.COOLING, State.MOVING)
cdef int64_t _HARD_LIMIT = HARD_LIMIT
cdef object _SLOW_READER = reasons.SLOW_READER


cdef class NativeSlot:
    """One slot. Made by the connection pool; see the module's text for who may touch what.

    Attributes: as those of `slot.Slot`, where it has them.
    """

    def __cinit__(self, Py_ssize_t index, outlet):
        self.index = index
        self.outlet = outlet
        self.pending = []
        self.pending_list = <PyObject*> self.pending
        self.send_buffer = outlet.send_buffer
        self.fd = -1
        self.clear()

    def __dealloc__(self):
        free_replies(self.outbox.items, self.outbox.count)
        free(self.left.data)
        drop_kept(&self.kept)

    def __repr__(self):
        """Index, generation and state, for debugging."""
        return f"<NativeSlot {self.index}.{self.generation} {self.state.value}>"

    def clear(self):
        """Forget the connection that was here. The generation stays: it only ever grows."""
        self.connection = None
        self.interest = 0
        self._blocked = False
        self._paused = False
        self._leaving = False
        self._parked = None
        self.dirty = False
        self.in_frame = False
        self.over_since = 0.0
        self.opened_at = 0.0
        self.last_seen = 0.0
        self.asked_to_end = -1
        self._closing_generation = -1
        self.end_reason = ""
        self.end_detail = ""
        self.tokens = 0.0
        self.tokens_at = 0.0
        self.messages_in = 0
        self.messages_out = 0

    def begin(self, int fd, endpoint, Header header not None):
        """A client has come, with this descriptor, by this endpoint. The reactor's thread."""
        self.fd = fd
        self.endpoint = endpoint
        self.header = header
        self.shape = &header.shape

    @property
    def state(self):
        """Where the slot is in its life."""
        return STATES[self._state]

    @state.setter
    def state(self, value):
        self._state = STATES.index(value)

    @property
    def paused(self):
        """Not read from, for now."""
        return bool(self._paused)

    @paused.setter
    def paused(self, bint value):
        self._paused = value

    @property
    def leaving(self):
        """Another worker shall have it: none of its messages is begun any more."""
        return bool(self._leaving)

    @leaving.setter
    def leaving(self, bint value):
        self._leaving = value

    @property
    def blocked(self):
        """The socket is full; epoll tells when it takes more."""
        return bool(self._blocked)

    @property
    def parked(self):
        """What waits until the client has read some replies."""
        return self._parked or []

    # -- messages that wait --------------------------------------------------------------------------------

    @property
    def idle(self):
        """Whether none of its messages waits or runs."""
        return not (count_waiting(self) or self._owned)

    @property
    def waiting(self):
        """How many of its messages wait or run, near enough."""
        return count_waiting(self)

    @property
    def owned(self):
        """Whether somebody has the right to run its messages."""
        return bool(self._owned)

    cpdef bint try_own(self) noexcept:
        """Take the right to run its messages, if it is free. Any thread."""
        if self._owned:
            return False
        self._owned = True
        return True

    def disown(self):
        """Give that right up. Whoever has it."""
        self._owned = False

    def submit(self, list work not None):
        """See `Slot.submit`. The reactor's thread."""
        self.pending += work
        return self.try_own()

    cpdef bint disown_if_done(self) noexcept:
        """See `Slot.disown_if_done`. Whoever has the right."""
        if PyList_GET_SIZE(self.pending):
            return False
        self._owned = False
        return True

    def park(self, work, int64_t send_buffer):
        """See `Slot.park`."""
        cdef list parked = [work]  # made before the look: see above, garbage collector
        if self.unsent <= send_buffer:
            return False
        if self._parked is None:
            self._parked = parked
        else:
            self._parked.append(work)
        return True

    cpdef list take_parked(self):
        """Take what is parked; it may be handled again. Whoever has flushed the slot."""
        cdef list parked = self._parked
        self._parked = None
        return parked if parked is not None else []

    def unblock(self):
        """The socket takes more. The reactor's thread."""
        self._blocked = False

    # -- messages that leave -------------------------------------------------------------------------------

    @property
    def outbox(self):
        """A copy of what waits to be encoded: message IDs, sequences, bodies."""
        cdef Py_ssize_t index
        cdef Reply* items = self.outbox.items
        return [
            (items[index].message_id, items[index].sequence, <object> items[index].body)
            for index in range(self.outbox.count)
        ]

    def push(self, int64_t generation, message_id, uint64_t sequence, body):
        """See `Slot.push`. Any thread."""
        message_id, data = operator.index(message_id), as_body(body)
        endpoint = self.endpoint
        if endpoint is None or self.generation != generation:
            return False
        endpoint.layout.check_fits(message_id, len(data))
        if not endpoint.layout.has_id:
            message_id = 0
        if not self.put(generation, message_id, sequence, data):
            return False
        self.outlet.flush_soon(self)
        return True

    def queue(self, int64_t generation, tuple reply not None):
        """See `Slot.queue`. Any thread."""
        message_id, sequence, body = reply
        return bool(self.put(generation, message_id, sequence, body))

    cdef bint put(self, int64_t generation, uint64_t message_id, uint64_t sequence, object body) except -1:
        """Put a message into the outbox; one step for other threads. `body` is of the type bytes itself."""
        cdef Outbox* outbox = &self.outbox
        cdef Reply* items
        cdef Py_ssize_t capacity
        cdef int64_t limit = self.send_buffer
        if self.generation != generation or self._state == LINGERING or self.header is None:
            return False
        if self.unsent > limit * _HARD_LIMIT:
            self.outlet.close_soon(self, generation, _SLOW_READER, drain=False)
            return False
        if outbox.count == outbox.capacity:
            capacity = outbox.capacity * 2 or 4
            items = <Reply*> realloc(outbox.items, capacity * sizeof(Reply))
            if items == NULL:
                raise MemoryError
            outbox.items = items
            outbox.capacity = capacity
        Py_INCREF(body)
        items = outbox.items + outbox.count
        items.body = <PyObject*> body
        items.message_id = message_id
        items.sequence = sequence
        outbox.count += 1
        self.unsent += PyBytes_GET_SIZE(body) + <int64_t> self.shape.header_size
        if self.unsent > limit and self.over_since == 0.0:
            self.over_since = seconds()
            self.outlet.watch_slow(self)
        return True

    def close_from_plugin(self, int64_t generation, reason):
        """Have the connection of this generation closed after what waits for it has been sent."""
        # Its messages that wait are not handled any more, also if it has gone; an older one's closing changes nothing.
        if generation > self._closing_generation:
            self._closing_generation = generation
        self.outlet.close_soon(self, generation, reason, drain=True)

    cdef void forget_outbox(self):
        cdef Reply* items = self.outbox.items
        cdef Py_ssize_t count = self.outbox.count
        memset(&self.outbox, 0, sizeof(Outbox))
        self.unsent = 0
        self.over_since = 0.0
        free_replies(items, count)


cdef void free_replies(Reply* items, Py_ssize_t count):
    """Drop the bodies and the array. May run other code: the caller has finished its step."""
    cdef Py_ssize_t index
    for index in range(count):
        Py_DECREF(<object> items[index].body)
    free(items)
