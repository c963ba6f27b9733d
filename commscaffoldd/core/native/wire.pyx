"""The wire: clients' sockets, touched without the GIL. Its owner is `engine.NativeEngine`.

`wait` is the reactor's: epoll_wait(2), recv(2) from all that have something to say, cutting and checking of frames, all
without the GIL, once per batch. Writing is in `writer.pyx`; what it has done is entered here. See `slot.pyx` for who
owns what.
"""

import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.errno cimport EAGAIN, EINTR, errno as c_errno
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from commscaffoldd.core.native.flight cimport Flight
from commscaffoldd.core.native.frames cimport Cut, Frame, Kept, NO_FAULT, NO_MEMORY, cut, drop_kept, keep, make_room, reserve
from commscaffoldd.core.native.posix cimport *
from commscaffoldd.core.native.slot cimport DRAINING, LINGERING, MOVING, OPEN, Unsent, count_waiting, free_replies

cdef enum:
    MAX_EVENTS = 512  # connections looked at in one turn
    READ_SIZE = 65536  # bytes read from one connection in one turn
    ARENA_SIZE = 1 << 18  # where a batch's bytes lie until its messages have been handed on
    JOIN_BELOW = 4096  # beginnings of frames smaller than this are copied in front of the next read
    MAX_ACCEPTED = 64  # at once: accept.BATCH

cdef uint64_t NO_SLOT = 1  # in epoll's data: the rest is a descriptor; slots' addresses are even


cdef class Wire:
    """Sockets, without the GIL. See the module's text for the threads."""

    def __cinit__(self, int64_t send_buffer, Py_ssize_t per_connection):
        """A wire with its own epoll.

        Args:
            send_buffer: bytes waiting for one client above which it is not read from.
            per_connection: messages waiting of one connection above which it is not read from.

        Raises:
            OSError: no descriptor for epoll.
            MemoryError: no memory for a batch.
        """
        self._send_buffer = send_buffer
        self._per_connection = per_connection
        self._epoll = epoll_create1(EPOLL_CLOEXEC)
        if self._epoll < 0:
            raise OSError(c_errno, os.strerror(c_errno))
        self._arena = <uint8_t*> malloc(ARENA_SIZE)  # not touched: only what is used becomes resident
        self.arrivals = <Arrival*> calloc(MAX_EVENTS, sizeof(Arrival))
        self._troubles = <Trouble*> calloc(2 * MAX_EVENTS, sizeof(Trouble))
        if self._arena == NULL or self.arrivals == NULL or self._troubles == NULL or not reserve(&self.frames, 1):
            raise MemoryError

    def __dealloc__(self):
        if self.arrivals != NULL:
            self._forget_arrivals()
        free(self.arrivals)
        free(self._troubles)
        free(self._arena)
        free(self.frames.items)
        self.shut()

    def shut(self):
        """Give the epoll descriptor back. The reactor's thread, once no other uses the wire any more."""
        if self._epoll >= 0:
            close(self._epoll)
            self._epoll = -1

    # -- what is watched: the reactor's thread -------------------------------------------------------------

    def register(self, int fd, uint32_t events):
        """Watch a descriptor that is no connection; `wait` reports it by its number. Raises OSError."""
        cdef epoll_event event
        event.events = events
        event.data.u64 = <uint64_t> fd << 1 | NO_SLOT
        if epoll_ctl(self._epoll, EPOLL_CTL_ADD, fd, &event) != 0:
            raise OSError(c_errno, os.strerror(c_errno))

    def unregister(self, int fd):
        """Watch it no more. Raises OSError."""
        cdef epoll_event event
        memset(&event, 0, sizeof(event))
        if epoll_ctl(self._epoll, EPOLL_CTL_DEL, fd, &event) != 0:
            raise OSError(c_errno, os.strerror(c_errno))

    def watch(self, NativeSlot slot not None):
        """Watch a connection that is open. Raises OSError. The reactor's thread."""
        cdef epoll_event event
        slot.interest = EPOLLIN | (EPOLLOUT if slot._blocked else 0)
        event.events = slot.interest
        event.data.ptr = <void*> slot
        if epoll_ctl(self._epoll, EPOLL_CTL_ADD, slot.fd, &event) != 0:
            raise OSError(c_errno, os.strerror(c_errno))

    def set_state(self, NativeSlot slot not None, state, bint paused):
        """Set the slot's state, and watch its socket for what follows from that. The reactor's thread."""
        slot.state = state
        slot._paused = paused
        self._arm(slot)

    cdef int _arm(self, NativeSlot slot) except -1:
        # With the GIL, so one step: the sender and the reactor both come here.
        cdef epoll_event event
        cdef bint reading = (slot._state == OPEN and not slot._paused) or slot._state == LINGERING
        cdef uint32_t interest = (EPOLLIN if reading else 0) | (EPOLLOUT if slot._blocked else 0)
        if interest != slot.interest and slot.fd >= 0:
            slot.interest = interest
            event.events = interest
            event.data.ptr = <void*> slot
            if epoll_ctl(self._epoll, EPOLL_CTL_MOD, slot.fd, &event) != 0:
                raise OSError(c_errno, os.strerror(c_errno))
        return 0

    # -- the end of a connection: the reactor's thread -----------------------------------------------------

    def cut_off(self, NativeSlot slot not None):
        """Raise the generation, forget what waits for the client, close the socket; one step for others.

        Returns:
            The work that was parked.
        """
        cdef int fd = slot.fd
        cdef bint writing = slot.writing
        cdef epoll_event event
        cdef list parked
        memset(&event, 0, sizeof(event))
        slot.generation += 1
        slot.unsent = 0  # before anything is allocated, which may let others in: who parks now is not parked
        slot.fd = -1
        slot.writing = False  # who still writes finds the generation changed
        slot._blocked = False
        epoll_ctl(self._epoll, EPOLL_CTL_DEL, fd, &event)
        if not writing:  # else it is the writer's to close: it may be sending to it now
            close(fd)
        free(slot.left.data)
        memset(&slot.left, 0, sizeof(Unsent))
        drop_kept(&slot.kept)
        slot.in_frame = False
        parked = slot.take_parked()
        slot.forget_outbox()  # last: dropping references may run other code
        return parked

    def end_stream(self, NativeSlot slot not None, bytes farewell not None):
        """See `EngineBase._end_stream`."""
        if slot.unsent:
            return False
        slot._state = LINGERING
        if farewell:
            send(slot.fd, PyBytes_AS_STRING(farewell), PyBytes_GET_SIZE(farewell), MSG_NOSIGNAL | MSG_DONTWAIT)
        shutdown(slot.fd, SHUT_WR)
        self._arm(slot)
        return True

    def read_away(self, NativeSlot slot not None):
        """Read from a lingering connection, for nothing. Returns whether it has ended."""
        cdef uint8_t[16384] nowhere
        cdef ssize_t got = recv(slot.fd, nowhere, sizeof(nowhere), MSG_DONTWAIT)
        return got == 0 or (got < 0 and c_errno != EAGAIN and c_errno != EINTR)

    def incomplete(self, NativeSlot slot not None):
        """How many bytes of an incomplete frame are kept, and the first few of them."""
        cdef size_t size = slot.kept.size
        return size, PyBytes_FromStringAndSize(<char*> slot.kept.data, min(size, 16))

    # -- moving a connection to another worker: the reactor's thread ---------------------------------------

    def freeze(self, NativeSlot slot not None):
        """See `EngineBase._freeze`."""
        cdef epoll_event event
        if slot.writing:
            return False
        memset(&event, 0, sizeof(event))
        slot._state = MOVING
        slot._blocked = True  # no flight begins
        epoll_ctl(self._epoll, EPOLL_CTL_DEL, slot.fd, &event)
        return True

    def kept(self, NativeSlot slot not None):
        """The incomplete frame that is kept for it."""
        return PyBytes_FromStringAndSize(<char*> slot.kept.data, slot.kept.size)

    def left(self, NativeSlot slot not None):
        """What has been encoded, and its socket has not taken."""
        return PyBytes_FromStringAndSize(<char*> slot.left.data + slot.left.start, slot.left.end - slot.left.start)

    def fill(self, NativeSlot slot not None, bytes kept not None, bytes left not None):
        """Give a slot that has just begun what another worker's slot has held. Raises MemoryError."""
        cdef size_t frames = self.frames.count, size = PyBytes_GET_SIZE(kept)
        cdef const uint8_t* data = <const uint8_t*> PyBytes_AS_STRING(kept)
        cdef Cut result
        if size:
            # Only to learn how many bytes the frame needs; should it be none any more, the next read says so.
            memset(&result, 0, sizeof(result))
            cut(slot.shape, data, size, &self.frames, &result)
            self.frames.count = frames
            if not keep(&slot.kept, data, size, max(result.needed, size + 1)):
                raise MemoryError
            slot.in_frame = True
        size = PyBytes_GET_SIZE(left)
        if size:
            slot.left.data = <uint8_t*> malloc(size)
            if slot.left.data == NULL:
                raise MemoryError
            memcpy(slot.left.data, PyBytes_AS_STRING(left), size)
            slot.left.start, slot.left.end = 0, size
            slot.unsent = size
            slot._blocked = True  # epoll says at once that it is not

    # -- accepting: the reactor's thread -------------------------------------------------------------------

    def accept(self, int listener, int limit):
        """Accept at most so many clients from a listening, non-blocking socket.

        Returns:
            Descriptors, non-blocking, and peers' addresses as `socket.accept` gives them; and why it ended
            early: an OSError, or `None` if nobody waits, or the limit has been reached.
        """
        cdef int[MAX_ACCEPTED] clients
        cdef sockaddr_storage[MAX_ACCEPTED] peers
        cdef socklen_t size
        cdef int count = 0, client, error = 0, on = 1, most = min(limit, MAX_ACCEPTED)
        with nogil:
            while count < most:
                size = sizeof(sockaddr_storage)
                memset(&peers[count], 0, size)
                client = accept4(listener, <sockaddr*> &peers[count], &size, SOCK_NONBLOCK | SOCK_CLOEXEC)
                if client < 0:
                    error = c_errno
                    break
                if peers[count].ss_family != AF_UNIX:
                    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on))
                clients[count] = client
                count += 1
        accepted = [(clients[index], _address(&peers[index])) for index in range(count)]
        if error == 0 or error == EAGAIN:
            return accepted, None
        return accepted, OSError(error, os.strerror(error))

    # -- waiting and reading: the reactor's thread ---------------------------------------------------------

    def wait(self, int milliseconds, int64_t budget):
        """Wait for events, at most so long; read, cut and check, until `budget` messages have been cut.

        The messages are in `arrivals`, and valid until the next call; what else there is, is in `troubles`.

        Returns:
            How many descriptors had something to tell.
        """
        cdef epoll_event[MAX_EVENTS] events
        cdef int count
        self._forget_arrivals()
        self._troubles_count = 0
        with nogil:
            count = epoll_wait(self._epoll, events, MAX_EVENTS, milliseconds)
            if count > 0:
                self._look(events, count, budget, budget <= 0)
        if count < 0:
            if c_errno == EINTR:  # a signal: the interpreter runs its handler now
                return 0
            raise OSError(c_errno, os.strerror(c_errno))
        return count

    cdef void _look(self, void* all_events, int count, int64_t budget, bint pausing) noexcept nogil:
        cdef epoll_event* events = <epoll_event*> all_events
        cdef epoll_event* event
        cdef int step, refused = -1
        cdef PyObject* pointer
        # The kernel reports who was not read in the same order again, behind the same others: it begins with them now.
        for step in range(count):
            event = &events[(self._begin + step) % count]
            if event.data.u64 & NO_SLOT:
                self._trouble(DESCRIPTOR, <NativeSlot> NULL, event.data.u64 >> 1)
                continue
            pointer = <PyObject*> event.data.ptr
            if event.events & EPOLLOUT:
                self._trouble(WRITABLE, <NativeSlot> pointer, 0)
            if not event.events & (EPOLLIN | EPOLLHUP | EPOLLERR):
                continue
            if pausing or (budget > 0 and self._must_wait(<NativeSlot> pointer)):
                self._trouble(UNREADY, <NativeSlot> pointer, event.events)
            elif budget > 0 and self._arena_used + JOIN_BELOW + READ_SIZE <= ARENA_SIZE:
                budget -= self._receive(<NativeSlot> pointer)
            elif refused < 0:  # a budget used up in this turn pauses nobody: the next wait reports it again
                refused = (self._begin + step) % count
        self._begin = refused if refused >= 0 else 0

    cdef bint _must_wait(self, NativeSlot slot) noexcept nogil:
        return (
            slot._state != OPEN
            or slot._paused
            or slot.unsent > self._send_buffer
            or count_waiting(slot) > self._per_connection
        )

    cdef Trouble* _trouble(self, TroubleKind kind, NativeSlot slot, uint64_t first) noexcept nogil:
        cdef Trouble* trouble = &self._troubles[self._troubles_count]
        self._troubles_count += 1  # at most two for each event
        trouble.kind = kind
        trouble.slot = <PyObject*> slot
        trouble.first = first
        trouble.head_size = 0
        return trouble

    cdef int64_t _receive(self, NativeSlot slot) noexcept nogil:
        """Read once from a connection; give the number of messages. The caller has looked for room in the arena."""
        cdef Kept* kept = &slot.kept
        cdef uint8_t* where
        cdef size_t before = kept.size
        cdef size_t rest = 0
        cdef ssize_t got
        cdef iovec[2] pieces
        cdef Arrival* arrival
        cdef Trouble* trouble
        cdef Cut result
        where = self._arena + self._arena_used
        if before < JOIN_BELOW:
            if before:
                memcpy(where, kept.data, before)
            got = recv(slot.fd, where + before, READ_SIZE, MSG_DONTWAIT)
        else:
            # A large frame grows its own buffer, up to what it needs, and what comes behind it goes into the arena.
            if not make_room(kept, min(kept.needed, max(before * 2, <size_t> READ_SIZE))):
                self._trouble(FAULT, slot, 0).fault = NO_MEMORY
                return 0
            rest = min(kept.capacity, kept.needed) - before
            pieces[0].iov_base, pieces[0].iov_len = kept.data + before, rest
            pieces[1].iov_base, pieces[1].iov_len = where, READ_SIZE
            got = readv(slot.fd, pieces, 2 if kept.capacity >= kept.needed else 1)
        if got <= 0:
            if got == 0:
                self._trouble(ENDED, slot, 0)
            elif c_errno != EAGAIN and c_errno != EINTR:
                self._trouble(FAILED, slot, c_errno)
            return 0
        arrival = &self.arrivals[self.arrivals_count]
        self.arrivals_count += 1
        memset(arrival, 0, sizeof(Arrival))
        arrival.slot = <PyObject*> slot
        arrival.first = self.frames.count
        arrival.received = got
        memset(&result, 0, sizeof(result))
        if before < JOIN_BELOW:
            got += before
            if got < <ssize_t> kept.needed:  # cutting again makes no sense yet
                result.needed = kept.needed
            else:
                cut(slot.shape, where, got, &self.frames, &result)
        elif got < <ssize_t> rest or kept.capacity < kept.needed:
            kept.size += got
            arrival.incomplete = True
            return 0
        else:
            kept.size += rest
            got -= rest
            cut(slot.shape, kept.data, kept.size, &self.frames, &result)
            arrival.owned = kept.data  # its body lies in there until the batch has been handed on
            memset(kept, 0, sizeof(Kept))
            arrival.dropped += result.dropped
            result.used = 0  # in the arena
            if result.fault == NO_FAULT:
                cut(slot.shape, where, got, &self.frames, &result)
        arrival.count = self.frames.count - arrival.first
        arrival.dropped += result.dropped
        arrival.finished = arrival.count or arrival.dropped
        if result.fault == NO_FAULT:
            if not keep(kept, where + result.used, got - result.used, result.needed):
                result.fault = NO_MEMORY
            arrival.incomplete = kept.size != 0
        self._arena_used += result.used
        if result.fault != NO_FAULT:
            trouble = self._trouble(FAULT, slot, result.found)
            trouble.fault = result.fault
            trouble.second = result.expected
            if arrival.owned != NULL:  # a large frame: what came first is in there
                where, got = arrival.owned, sizeof(trouble.head)
            trouble.head_size = min(<size_t> got, sizeof(trouble.head))
            memcpy(trouble.head, where, trouble.head_size)
        return arrival.count

    cdef void _forget_arrivals(self):
        cdef size_t index
        cdef size_t count = self.arrivals_count
        self.arrivals_count = 0
        self.frames.count = 0
        self._arena_used = 0
        for index in range(count):
            free(self.arrivals[index].owned)
            Py_XDECREF(self.arrivals[index].connection)

    def settle_reading(self, double now):
        """Enter what has arrived into the slots. The reactor's thread, after `wait`.

        Returns:
            Bytes, messages and dropped frames; slots whose first incomplete frame has begun, whose incomplete
            frame is another one than before, and which have none any more.
        """
        cdef Arrival* arrival
        cdef NativeSlot slot
        cdef size_t index
        cdef uint64_t received = 0, dropped = 0
        cdef list begun = [], again = [], ended = []
        for index in range(self.arrivals_count):
            arrival = &self.arrivals[index]
            slot = <NativeSlot> arrival.slot
            Py_INCREF(slot.connection)
            arrival.connection = <PyObject*> slot.connection
            arrival.generation = slot.generation
            received += arrival.received
            dropped += arrival.dropped
            if arrival.count:
                slot.last_seen = now
                slot.messages_in += arrival.count
            if arrival.incomplete:
                if arrival.finished and slot.in_frame:
                    again.append(slot)
                elif not slot.in_frame:
                    begun.append(slot)
                slot.in_frame = True
            elif slot.in_frame:
                slot.in_frame = False
                ended.append(slot)
        return received, self.frames.count, dropped, begun, again, ended

    def troubles(self):
        """What is no message: kind, slot, and what `Trouble` says of it. The reactor's thread, after `wait`."""
        cdef Trouble* trouble
        cdef size_t index
        found = []
        for index in range(self._troubles_count):
            trouble = &self._troubles[index]
            slot = <object> trouble.slot if trouble.slot != NULL else None
            head = PyBytes_FromStringAndSize(<char*> trouble.head, trouble.head_size)
            found.append((<int> trouble.kind, slot, trouble.fault, trouble.first, trouble.second, head))
        return found

    def arrived(self):
        """The messages of the last `wait` as Python objects: slots, connections, and lists of frames.

        For who does not take them in C; see `engine.Batch.arrived`.
        """
        cdef Arrival* arrival
        cdef Frame* frame
        cdef size_t index, number
        found = []
        for index in range(self.arrivals_count):
            arrival = &self.arrivals[index]
            if not arrival.count:
                continue
            frames = []
            for number in range(arrival.first, arrival.first + arrival.count):
                frame = &self.frames.items[number]
                body = PyBytes_FromStringAndSize(<char*> frame.body, frame.size)
                frames.append((frame.message_id, frame.sequence, body))
            found.append((<object> arrival.slot, <object> arrival.connection, frames))
        return found

    # -- writing: any thread, with the GIL; see writer.pyx -------------------------------------------------

    cdef int note_freed(self, NativeSlot slot, list freed) except -1:
        if slot.unsent <= self._send_buffer:
            slot.over_since = 0.0
            if slot._parked is not None or slot._paused or slot._state == DRAINING:
                freed.append(slot)
        return 0

    cdef int land(self, Flight* flight, Totals* totals, list freed, list failed, list again) except -1:
        """Enter what one flight has done into its slot; with the GIL."""
        cdef NativeSlot slot = <NativeSlot> flight.slot
        totals.messages += flight.count
        totals.bytes += flight.sent
        totals.sends += flight.sends
        if slot.generation != flight.generation:  # closed meanwhile: see slot.pyx
            close(flight.fd)
            free(flight.left.data)
        else:
            slot.writing = False
            slot.left = flight.left
            slot.unsent -= flight.sent
            slot.messages_out += flight.count
            if flight.error:
                failed.append((slot, flight.generation))
            else:
                slot._blocked = flight.full
                self._arm(slot)
                if slot.outbox.count and not slot._blocked:
                    again.append(slot)
                self.note_freed(slot, freed)
        free_replies(flight.replies, flight.count)
        Py_XDECREF(flight.header)
        return 0


cdef object _address(sockaddr_storage* peer):
    """A peer's address as `socket.accept` gives it."""
    cdef char[INET6_ADDRSTRLEN] text
    cdef sockaddr_in* four = <sockaddr_in*> peer
    cdef sockaddr_in6* six = <sockaddr_in6*> peer
    if peer.ss_family == AF_INET:
        inet_ntop(AF_INET, &four.sin_addr, text, sizeof(text))
        return text.decode("ascii"), ntohs(four.sin_port)
    if peer.ss_family == AF_INET6:
        inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof(text))
        return text.decode("ascii"), ntohs(six.sin6_port), ntohl(six.sin6_flowinfo), six.sin6_scope_id
    return ""
