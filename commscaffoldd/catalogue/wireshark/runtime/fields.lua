-- What is the same for every protocol. It reads LISTENERS and MESSAGES, which stand before it.
-- For Lua 5.2 to 5.4, so without their bit operators.

local protocol = Proto("commscaffoldd", TITLE)
local FORMATS = { msgpack = "MessagePack", json = "JSON", str = "text", bytes = "bytes" }
local DEEPEST = 50

local fields = {
  length = ProtoField.uint64("commscaffoldd.length", "Length"),
  id = ProtoField.uint64("commscaffoldd.id", "Message ID"),
  sequence = ProtoField.uint64("commscaffoldd.sequence", "Sequence"),
  crc32 = ProtoField.uint32("commscaffoldd.crc32", "CRC-32", base.HEX),
  crc32_good = ProtoField.bool("commscaffoldd.crc32.good", "CRC-32 is right"),
  magic = ProtoField.uint64("commscaffoldd.magic", "Magic", base.HEX),
  skip = ProtoField.bytes("commscaffoldd.skip", "Skipped"),
  kind = ProtoField.string("commscaffoldd.kind", "Kind"),
  message = ProtoField.string("commscaffoldd.message", "Message"),
  plugin = ProtoField.string("commscaffoldd.plugin", "Plugin"),
  layout = ProtoField.string("commscaffoldd.layout", "Header layout"),
  body = ProtoField.bytes("commscaffoldd.body", "Body"),
  text = ProtoField.string("commscaffoldd.text", "Text"),
  value = ProtoField.string("commscaffoldd.value", "Value"),
  error_id = ProtoField.uint32("commscaffoldd.error.id", "Message ID of the request"),
  error_code = ProtoField.uint16("commscaffoldd.error.code", "Code"),
  error_text = ProtoField.string("commscaffoldd.error.text", "Text"),
}
protocol.fields = fields

local wrong_frame = ProtoExpert.new("commscaffoldd.wrong", "Not a frame", expert.group.MALFORMED, expert.severity.ERROR)
local wrong_body = ProtoExpert.new("commscaffoldd.wrong_body", "Not what the body should be", expert.group.MALFORMED,
  expert.severity.WARN)
local wrong_crc = ProtoExpert.new("commscaffoldd.wrong_crc32", "The checksum is wrong", expert.group.CHECKSUM,
  expert.severity.ERROR)
protocol.experts = { wrong_frame, wrong_body, wrong_crc }

-- A range as a whole number, in the layout's byte order: a Lua number, exact up to 2^53.
local function number_of(range, little)
  local value = 0.0 -- a float, since whole numbers of newer Luas would wrap around
  for index = 0, range:len() - 1 do
    local at = little and range:len() - 1 - index or index
    value = value * 256 + range(at, 1):uint()
  end
  return value
end

-- The same as UInt64, exact always.
local function uint64_of(range, little)
  if little then
    return range:le_uint64()
  end
  return range:uint64()
end

local bits = bit or bit32
local crc_table
if bits then
  crc_table = {}
  for index = 0, 255 do
    local value = index
    for _ = 1, 8 do
      if value % 2 ~= 0 then
        value = bits.bxor(0xEDB88320, bits.rshift(value, 1))
      else
        value = bits.rshift(value, 1)
      end
    end
    crc_table[index] = value
  end
end

-- nil where this Lua cannot tell.
local function crc32(range)
  if not crc_table then
    return nil
  end
  local value = 0xFFFFFFFF
  if range then
    local bytes = range:bytes()
    for index = 0, bytes:len() - 1 do
      local at = bits.band(bits.bxor(value, bytes:get_index(index)), 0xFF)
      value = bits.bxor(crc_table[at], bits.rshift(value, 8))
    end
  end
  return bits.bxor(value, 0xFFFFFFFF) % 0x100000000
end

