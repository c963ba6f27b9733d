"""Dispatching on the native path: from the wire's memory to requests. See `dispatch.Dispatcher`.

With the GIL, on the reactor's thread, but for `hand_back`.
"""

from collections import deque

from cpython.bytes cimport PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_Append, PyList_GET_ITEM, PyList_GET_SIZE
from libc.stdlib cimport calloc, free

from commscaffoldd.core.native.frames cimport Frame
from commscaffoldd.core.native.header cimport Header
from commscaffoldd.core.native.request cimport CONCURRENT, INLINE, NativeRequest, make_request, mode_of
from commscaffoldd.core.native.slot cimport DRAINING
from commscaffoldd.core.native.turn cimport DONE, ELSEWHERE, MORE, Outcome
from commscaffoldd.core.slot import slot_of

cdef Py_ssize_t MANY = 8  # connections with messages on their way: so many make a batch worth waiting for
cdef double LOOK = 0.002  # seconds between two looks whether what waits is being taken


cdef class Ways:
    """Ways by message ID: a hash table with open addressing, at most half full."""

    def __cinit__(self, routes):
        """From a route table."""
        cdef uint64_t size = 8, at, message_id
        self._all = [Way(route) for route in routes.values()]
        while size < 2 * <uint64_t> len(self._all):
            size *= 2
        self._mask = size - 1
        self._entries = <Entry*> calloc(size, sizeof(Entry))
        if self._entries == NULL:
            raise MemoryError
        for way in self._all:
            message_id = way.route.id
            at = message_id & self._mask
            while self._entries[at].way != NULL:
                at = (at + 1) & self._mask
            self._entries[at].message_id = message_id
            self._entries[at].way = <void*> way

    def __dealloc__(self):
        free(self._entries)

    def by_id(self):
        """The ways by message ID, as the quarantine needs them."""
        return {way.route.id: way for way in self._all}

    cdef Way find(self, uint64_t message_id):
        """The way, or `None`."""
        cdef uint64_t at = message_id & self._mask
        while self._entries[at].way != NULL:
            if self._entries[at].message_id == message_id:
                return <Way> self._entries[at].way
            at = (at + 1) & self._mask
        return None


cdef class Dispatcher:
    """Takes batches of messages apart."""

    def __cinit__(
        self,
        engine,
        Wire wire not None,
        SendQueue send_queue not None,
        ReadyQueue ready not None,
        Backlog backlog not None,
        Ways ways not None,
        runner,
        unrouted,
        bint crowded,
    ):
        """See `dispatch.Dispatcher`; `wire` is the engine's, `ways` are the routes'; `crowded` is that of `PathSettings`."""
        self._engine = engine
        self._wire = wire
        self._send_queue = send_queue
        self._ready = ready
        self._crowded = crowded
        self._backlog = backlog
        self._ways = ways
        self._unrouted = unrouted
        self._runner = runner
        self._deferrals = engine.deferrals
        self._settled = engine.deferrals.done
        self._handed_back = deque()
        self.held = []
        self.counters = unrouted.counters
        self._inline = InlineTurns(runner, self.counters, engine.send_buffer)
        if unrouted.flood is not None:
            self._flood_rate = unrouted.flood.rate
            self._flood_burst = unrouted.flood.burst

    @property
    def running(self):
        """See `dispatch.Dispatcher.running`."""
        return self._inline

    def hand_back(self, slot):
        """See `dispatch.Dispatcher.hand_back`. Any thread."""
        self._handed_back.append(slot)
        self._engine.wake()

    def longest_wait(self, double longest):
        """See `dispatch.Dispatcher.longest_wait`."""
        if self._handed_back or self._settled:
            return 0.0
        # Beside slow handlers business threads write themselves: should one not come to it, the sender does.
        return min(longest, LOOK) if self._ready.look() or self._ready._slow else longest

    def dispatch(self, batch):
        """See `dispatch.Dispatcher.dispatch`. The batch's messages are taken from the wire."""
        cdef Wire wire = self._wire
        cdef double now = batch.now
        cdef size_t index
        for index in range(wire.arrivals_count):
            if wire.arrivals[index].count:
                self._take(&wire.arrivals[index], now)
        if not wire.arrivals_count:
            self._send_queue.wake()
        if self._settled:
            for deferred in self._deferrals.take():
                self._complete(deferred)
        if self._handed_back:
            for _ in range(len(self._handed_back)):
                self._go_on(self._handed_back.popleft())
        self._write()
        if self._crowded and not self._ready._slow and not self._handed_back:
            if self._ready._count >= MANY or self._send_queue.under_way() >= MANY:
                self._send_queue.await_sent()

    def submit(self, NativeSlot slot not None, list work not None):
        """See `dispatch.Dispatcher.submit`."""
        self._backlog.in_count += len(work)
        if slot.submit(work):
            self._go_on(slot)

    def take_over(self, NativeSlot slot not None, connection, list frames not None):
        """See `dispatch.Dispatcher.take_over`."""
        cdef Py_ssize_t added = 0
        cdef Entered entered
        for message_id, sequence, body in frames:
            entered = self._enter(slot, connection, slot.generation, message_id, sequence, body)
            if entered == CLOSED:
                break
            added += entered == WAITING
        self._begin(slot, added)
        self._write()

    def go_on(self, NativeSlot slot not None):
        """See `dispatch.Dispatcher.go_on`."""
        self._handed_back.append(slot)

    def run_first(self, NativeSlot slot not None, call):
        """See `dispatch.Dispatcher.run_first`."""
        self._backlog.in_count += 1
        slot.pending.insert(0, call)
        self._ready.append(slot)

    def reclaim(self):
        """See `dispatch.Dispatcher.reclaim`."""
        return self._ready.take_leaving()

    def forget(self, NativeSlot slot not None):
        """See `dispatch.Dispatcher.forget`."""
        self._backlog.out_count += PyList_GET_SIZE(slot.pending) + slot.running_concurrent
        slot.running_concurrent = 0
        slot.pending.clear()

    cdef int _take(self, Arrival* arrival, double now) except -1:
        cdef NativeSlot slot = <NativeSlot> arrival.slot
        cdef object connection = <object> arrival.connection
        cdef Frame* frame
        cdef bytes body
        cdef double level
        cdef Py_ssize_t added = 0
        cdef Entered entered
        cdef size_t index
        if self._flood_rate:
            level = min(self._flood_burst, slot.tokens + (now - slot.tokens_at) * self._flood_rate) - arrival.count
            slot.tokens = level
            slot.tokens_at = now
            if level < 0:
                self._unrouted.close_flood(slot)
                return 0
        for index in range(arrival.first, arrival.first + arrival.count):
            frame = &self._wire.frames.items[index]
            body = PyBytes_FromStringAndSize(<char*> frame.body, frame.size)
            entered = self._enter(slot, connection, arrival.generation, frame.message_id, frame.sequence, body)
            if entered == CLOSED:
                break
            added += entered == WAITING
        return self._begin(slot, added)

    cdef Entered _enter(
        self, NativeSlot slot, object connection, int64_t generation, uint64_t message_id, uint64_t sequence, bytes body
    ) except *:
        """Put a message where it belongs; `_begin` must follow."""
        cdef Way way = self._ways.find(message_id)
        if way is None:
            if not self._unrouted.answer(slot, connection, message_id, sequence, body):
                return CLOSED
            self._inline.flush_soon(slot)
            return ASIDE
        request = make_request(connection, generation, message_id, sequence, body, way)
        if way.mode == CONCURRENT:
            self._backlog.in_count += 1
            slot.running_concurrent += 1
            self._ready.append((slot, request))
            return ASIDE
        PyList_Append(slot.pending, request)
        return WAITING

    cdef int _begin(self, NativeSlot slot, Py_ssize_t added) except -1:
        """So many messages are new among those that wait: have them run."""
        if added:
            self._backlog.in_count += added
            if slot.try_own():
                self._go_on(slot)
        return 0

    cdef int _complete(self, deferred) except -1:
        """See `dispatch.Dispatcher._complete`."""
        cdef NativeRequest request = deferred.request
        cdef NativeSlot slot = slot_of(request.connection)
        cdef Header header = slot.header  # see `Turns._call`
        cdef int64_t size
        self._backlog.out_count += 1
        request.deferred = None  # it has the request: so both go now, and not when the garbage collector comes
        result = deferred.plain
        size = PyBytes_GET_SIZE(result) if type(result) is bytes else -1
        if header.min_sent <= size <= header.max_sent and request.id <= header.max_id:  # the commonest, spelled out
            if request.way.troubled:
                self._runner.succeed(request)
            self._inline._queue(slot, request.generation, request.id, request.sequence, result)
        else:
            reply = self._runner.complete(deferred, slot.endpoint, self.counters)
            if reply is not None:
                self._inline._finish(slot, request, reply)
        if request.way.mode != CONCURRENT:
            return self._go_on(slot)
        slot.running_concurrent -= 1
        if slot._paused:
            self._engine.resume_if_few(slot)
        if slot._state == DRAINING:
            self._engine.check_drained(slot)
        return 0

    cdef int _write(self) except -1:
        cdef list written
        cdef NativeSlot slot
        if self._inline.written:
            written = self._inline.written
            self._inline.written = []
            for slot in written:
                slot.written = False
            self._engine.write(written, self.counters)
        return 0

    cdef int _go_on(self, NativeSlot slot) except -1:
        cdef Outcome outcome
        if slot._leaving and not (PyList_GET_SIZE(slot.pending) and type(slot.pending[0]) is not NativeRequest):
            self.held.append(slot)
            return 0
        if PyList_GET_SIZE(slot.pending) and mode_of(<object> PyList_GET_ITEM(slot.pending, 0)) != INLINE:
            self._ready.append(slot)
            return 0
        outcome = self._inline.take_turn(slot)
        self._backlog.out_count += self._inline.done
        if slot._paused:
            self._engine.resume_if_few(slot)
        if outcome == ELSEWHERE:
            self._ready.append(slot)
        elif outcome == MORE:
            self._handed_back.append(slot)
        elif outcome == DONE:
            if not slot.disown_if_done():
                self._handed_back.append(slot)
            elif slot._state == DRAINING:
                self._engine.check_drained(slot)
        return 0
