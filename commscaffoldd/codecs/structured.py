"""All types that msgspec knows, as MessagePack or JSON: Structs, dataclasses, TypedDicts, lists, unions, numbers."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect

from commscaffoldd.codecs.base import BadBody, Coding, Format, NoCodecError, WrongTypeError, type_name

_LANGUAGES: Final = {"msgpack": "MessagePack", "json": "JSON"}

_CLASSES: Final[dict[type[inspect.Type], tuple[type, ...]]] = {
    inspect.NoneType: (type(None),),
    inspect.BoolType: (bool,),
    inspect.IntType: (int,),
    inspect.FloatType: (float, int),
    inspect.StrType: (str,),
    inspect.BytesType: (bytes,),
    inspect.ByteArrayType: (bytearray,),
    inspect.MemoryViewType: (memoryview,),
    inspect.DateTimeType: (dt.datetime,),
    inspect.DateType: (dt.date,),
    inspect.TimeType: (dt.time,),
    inspect.TimeDeltaType: (dt.timedelta,),
    inspect.DecimalType: (decimal.Decimal,),
    inspect.UUIDType: (uuid.UUID,),
    inspect.ListType: (list,),
    inspect.TupleType: (tuple,),
    inspect.VarTupleType: (tuple,),
    inspect.SetType: (set,),
    inspect.FrozenSetType: (frozenset,),
    inspect.DictType: (dict,),
    inspect.TypedDictType: (dict,),
}
"""Values of which classes a type stands for. Types that are not here have one of their own, or are not checked."""


def structured_coding(kind: Any, language: Format) -> Coding:  # noqa: ANN401  an annotation can be anything
    """The coding of a type that msgspec knows.

    Raises:
        NoCodecError: it does not know the type, or a type within it.
    """
    try:
        described = inspect.type_info(kind)
        strange = next((part.cls for part in _parts(described, set()) if isinstance(part, inspect.CustomType)), None)
        if strange is not None:
            raise NoCodecError(_unknown(kind, strange))
        if language == "json":
            return Coding(
                _decoding(msgspec.json.Decoder(kind).decode, language),
                _encoding(msgspec.json.Encoder().encode, kind, described),
            )
        return Coding(
            _decoding(msgspec.msgpack.Decoder(kind).decode, language),
            _encoding(msgspec.msgpack.Encoder().encode, kind, described),
        )
    except NoCodecError:
        raise
    except Exception as error:  # noqa: BLE001  a missing name, a union that cannot be told apart: msgspec says what
        raise NoCodecError(f"there is no codec for {type_name(kind)}: {type(error).__name__}: {error}") from None


def _parts(described: object, seen: set[int]) -> Iterator[object]:
    """A type and all types within it."""
    waiting: list[object] = [described]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, inspect.Type | inspect.Field):
            yield part
            waiting.extend(getattr(part, name) for name in part.__struct_fields__)
        elif isinstance(part, tuple):
            waiting.extend(part)


def _unknown(kind: object, strange: object) -> str:
    where = "" if strange is kind else f" (in {type_name(kind)})"
    return (
        f"there is no codec for {type_name(strange)}{where}: make it a msgspec.Struct, mark it with @codec, or write "
        f"Annotated[{type_name(strange)}, A_CODEC]"
    )


def _decoding(decode: Callable[[bytes], Any], language: Format) -> Callable[[bytes], Any]:
    name = _LANGUAGES[language]

    def decoded(body: bytes) -> Any:  # noqa: ANN401  the annotation's type
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise BadBody(_placed(str(error))) from None
        except UnicodeDecodeError as error:  # its offset is that within the text
            raise BadBody(f"body: a text in it is not UTF-8: {error.reason}") from None
        except RecursionError:
            raise BadBody("body: nested too deeply") from None
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:  # a type's own code: its fault
                raise
            raise BadBody(f"body: {error} (in a set)") from None
        except (msgspec.DecodeError, ValueError, OverflowError) as error:
            raise BadBody(f"body: not the {name} that is expected: {error}") from None

    return decoded


def _placed(text: str) -> str:
    """The reason as msgspec gives it, with the place in front: `body.user.age: Expected `int`, got `str``."""
    reason, found, place = text.rpartition(" - at `")
    if not found or not place.endswith("`"):
        return f"body: {text}"
    key, of_a_key, place = place[:-1].rpartition("` in `")  # "key` in `$.user": in a key of what stands there
    where = f"body{place.removeprefix('$')}"
    return f"{where}, a key{key.removeprefix('key')}: {reason}" if of_a_key else f"{where}: {reason}"


def _encoding(encode: Callable[[Any], bytes], kind: object, described: inspect.Type) -> Callable[[Any], bytes]:
    classes = _classes_of(described)
    if classes is None:
        return encode
    first, expected = classes[0], type_name(kind)

    def encoded(value: object) -> bytes:
        # Only the value itself: what is within it is the plugin's own business, and the client's to check.
        if type(value) is not first and not isinstance(value, classes):
            raise WrongTypeError(expected, value)
        return encode(value)

    return encoded


def _classes_of(described: inspect.Type) -> tuple[type, ...] | None:
    """The classes of values that a type stands for; `None` if that cannot be said."""
    if isinstance(described, inspect.Metadata):
        return _classes_of(described.type)
    if isinstance(described, inspect.UnionType):
        all_of = [_classes_of(one) for one in described.types]
        known = [classes for classes in all_of if classes is not None]
        return tuple(one for classes in known for one in classes) if len(known) == len(all_of) else None
    if isinstance(described, inspect.LiteralType):
        return tuple({type(value) for value in described.values})
    own = getattr(described, "cls", None)
    return _CLASSES.get(type(described)) or ((own,) if isinstance(own, type) else None)
