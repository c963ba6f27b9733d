"""The queue of work for the business threads, and the count of what waits, on the native path.

All methods are called with the GIL, which makes each of them one step for other threads; only waiting is without it.
"""

import sys

from cpython.list cimport PyList_GET_SIZE
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from commscaffoldd.core.native.clock cimport seconds
from commscaffoldd.core.native.posix cimport sem_destroy, sem_init, sem_post, sem_wait
from commscaffoldd.core.native.request cimport NativeRequest
from commscaffoldd.core.native.slot cimport NativeSlot


cdef double CALM = 0.0005  # seconds; the switch interval while only quick handlers run
cdef object _set_switch_interval = sys.setswitchinterval
cdef double PATIENCE = 0.001  # seconds without anything being taken, after which one more thread is woken


cdef void wait(Waiter* waiter) noexcept nogil:
    while sem_wait(&waiter.wake) != 0:  # a signal: the main thread's affair
        pass


cdef class ReadyQueue:
    """Slots whose messages shall be run (the right to do so goes to whoever takes one), and concurrent requests.

    It wakes no more threads than are of use. With the GIL a second thread helps only if the first one gives the GIL
    up, that is, if its handler waits for something, or computes for long. So:

    - a burst of work wakes one thread; none, if one is running handlers that are known to be quick: it takes the
      rest when it is done with what it has;
    - a thread that begins with a handler that is not known to be quick wakes another one first, if more waits;
    - while such a handler runs, the switch interval is the configured one, which is short so that others get the GIL soon;
      else it is `CALM`, or the configured one if that is longer: quick handlers are not interrupted, and batches stay whole;
    - `look` is called by the reactor in each of its turns, and wakes one more if nothing has been taken for a while: a
      handler that used to be quick has become slow.
    """

    def __cinit__(self, double switch_interval):
        """`switch_interval`: that of `[business]`, in seconds."""
        self._busy_interval = switch_interval
        self._calm_interval = max(CALM, switch_interval)
        self._capacity = 64
        self._items = <PyObject**> malloc(self._capacity * sizeof(PyObject*))
        if self._items == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef size_t index
        for index in range(self._count):
            Py_XDECREF(self._items[(self._first + index) % self._capacity])
        free(self._items)

    def put(self, work):
        """Let this be taken by a business thread. Any thread."""
        self.append(work)

    cdef int join(self) except -1:
        """The calling business thread begins to take work."""
        self._quick += 1
        if self._slow == 0 and self._busy_interval != self._calm_interval:
            _set_switch_interval(self._calm_interval)
        return 0

    cdef void leave(self) noexcept:
        """It has ended, and takes nothing any more."""
        self._step_aside()

    def __len__(self):
        """How much waits."""
        return self._count

    def look(self):
        """Wake one more thread if work waits and none has been taken for `PATIENCE`. The reactor's thread.

        Returns:
            Whether work waits: then this shall be called again soon.
        """
        cdef double now
        if not self._count:
            return False
        now = seconds()
        if self._taken != self._taken_at_look:
            self._taken_at_look = self._taken
            self._looked = now
        elif now - self._looked >= PATIENCE and self._coming == 0:
            self._looked = now
            self.wake_one()
        return True

    def take_leaving(self):
        """Take out the messages of leaving slots; hooks stay. One step for other threads. The reactor's thread."""
        cdef list found = []
        cdef size_t index, kept = 0
        cdef PyObject* item
        cdef NativeSlot slot
        for index in range(self._count):
            item = self._items[(self._first + index) & (self._capacity - 1)]
            work = <object> item
            slot = None if work is None else <NativeSlot> work[0] if type(work) is tuple else <NativeSlot> work
            if slot is None or not slot._leaving or (work is slot and hook_is_next(slot)):
                self._items[(self._first + kept) & (self._capacity - 1)] = item
                kept += 1
            else:
                found.append(work)
                Py_XDECREF(item)  # not its last one
        self._count = kept
        return found

    cdef int append(self, object work) except -1:
        cdef PyObject** items
        cdef size_t index
        if self._count == self._capacity:
            items = <PyObject**> malloc(2 * self._capacity * sizeof(PyObject*))
            if items == NULL:
                raise MemoryError
            for index in range(self._count):
                items[index] = self._items[(self._first + index) & (self._capacity - 1)]
            free(self._items)
            self._items = items
            self._first = 0
            self._capacity *= 2
        Py_INCREF(work)
        self._items[(self._first + self._count) & (self._capacity - 1)] = <PyObject*> work
        self._count += 1
        if self._coming == 0 and self._quick == 0:
            self.wake_one()
        return 0

    cdef object take(self):
        """Wait for work and take it. A business thread."""
        cdef Waiter waiter
        cdef PyObject* item
        while not self._count:
            self._quick -= 1
            memset(&waiter, 0, sizeof(Waiter))
            sem_init(&waiter.wake, 0, 0)
            waiter.next = self._idle
            self._idle = &waiter
            with nogil:
                wait(&waiter)
            sem_destroy(&waiter.wake)
            self._coming -= 1
            self._quick += 1
        self._taken += 1
        item = self._items[self._first]
        self._first = (self._first + 1) & (self._capacity - 1)
        self._count -= 1
        work = <object> item
        Py_XDECREF(item)
        return work

    cdef void wake_one(self) noexcept:
        cdef Waiter* waiter = self._idle
        if waiter != NULL:
            self._idle = waiter.next
            self._coming += 1
            sem_post(&waiter.wake)

    cdef int begin_slow(self) except -1:
        """The calling business thread begins with what may take long."""
        self._slow += 1
        if self._slow == 1 and self._busy_interval != self._calm_interval:
            _set_switch_interval(self._busy_interval)
        self._step_aside()
        return 0

    cdef int end_slow(self) except -1:
        self._quick += 1
        self._slow -= 1
        if self._slow == 0 and self._busy_interval != self._calm_interval:
            _set_switch_interval(self._calm_interval)
        return 0

    cdef void _step_aside(self) noexcept:
        """The calling business thread takes nothing for a while."""
        self._quick -= 1
        if self._count and self._coming == 0 and self._quick == 0:
            self.wake_one()


cdef inline bint hook_is_next(NativeSlot slot):
    return PyList_GET_SIZE(slot.pending) != 0 and type(slot.pending[0]) is not NativeRequest


cdef class Backlog:
    """How many messages wait or run, and for how many more there is room. See `backlog.Backlog`."""

    def __cinit__(self, int64_t limit):
        self._limit = limit

    @property
    def depth(self):
        """Messages that wait or run. Any thread."""
        return self.in_count - self.out_count

    @property
    def room(self):
        """How many more messages may wait; below 0 after a large read."""
        return self._limit - (self.in_count - self.out_count)

    @property
    def excess(self):
        """How many messages must go until reading may go on after the queue was full; 0 or less: none."""
        return self.in_count - self.out_count - self._limit // 2
