"""Codecs: from a message's body to a value of the type that an annotation names, and back.

They are made once, from the annotation, and then used for each message; on both ends of the wire.
"""

from commscaffoldd.codecs.base import BadBody, Codec, Format, NoCodecError
from commscaffoldd.codecs.choice import codec_for
from commscaffoldd.codecs.own import codec

__all__ = ["BadBody", "Codec", "Format", "NoCodecError", "codec", "codec_for"]
