import enum

from commscaffoldd.core.framing import Frame
from commscaffoldd.core.native.header import Header

class Fault(enum.IntFlag):
    NO_FAULT = 0
    BAD_MAGIC = 1
    BAD_LENGTH = 2
    BAD_CHECKSUM = 3
    NO_MEMORY = 4

def crc32(data: bytes | bytearray | memoryview) -> int: ...
def encode_frame(header: Header, message_id: int, sequence: int, body: bytes) -> bytes: ...

class Cutter:
    def __init__(self, header: Header) -> None: ...
    @property
    def dropped(self) -> int: ...
    @property
    def buffered(self) -> int: ...
    def feed(self, data: bytes) -> tuple[list[Frame], tuple[int, int, int] | None]: ...
