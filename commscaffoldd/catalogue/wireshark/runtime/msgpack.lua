-- -- MessagePack as a tree ------------------------------------------------------------------------------------------

-- Each reader takes the bytes, where it is, and the tree; gives where the next value begins, or nil and why not.
local unpack_value

local function take(buffer, at, size)
  return at + size <= buffer:len()
end

local function leaf(tree, label, range, shown)
  tree:add(fields.value, range, shown):set_text(label .. shown)
end

local function unpack_items(buffer, start, at, tree, label, count, depth, is_map)
  local branch = tree:add(fields.value, buffer(start, at - start), (is_map and "map of " or "array of ") .. count)
  branch:set_text(label .. (is_map and "map of " or "array of ") .. count)
  for index = 0, count - 1 do
    local name = "[" .. index .. "]: "
    if is_map then
      if not take(buffer, at, 1) then
        return nil, "it is cut off"
      end
      local code = buffer(at, 1):uint()
      local size = (code >= 0xa0 and code < 0xc0) and code - 0xa0 or nil
      local head = 1
      if code == 0xd9 and take(buffer, at, 2) then
        size, head = buffer(at + 1, 1):uint(), 2
      end
      if size and take(buffer, at, head + size) then
        name = (size > 0 and buffer(at + head, size):string(ENC_UTF_8) or '""') .. ": "
        at = at + head + size
      else
        local reason
        at, reason = unpack_value(buffer, at, branch, "key: ", depth + 1)
        if not at then
          return nil, reason
        end
        name = "value: "
      end
    end
    local reason
    at, reason = unpack_value(buffer, at, branch, name, depth + 1)
    if not at then
      return nil, reason
    end
  end
  branch:set_len(at - start)
  return at
end

local SIZED = { -- code: kind, bytes of the size
  [0xc4] = { "bin", 1 }, [0xc5] = { "bin", 2 }, [0xc6] = { "bin", 4 },
  [0xc7] = { "ext", 1 }, [0xc8] = { "ext", 2 }, [0xc9] = { "ext", 4 },
  [0xd9] = { "str", 1 }, [0xda] = { "str", 2 }, [0xdb] = { "str", 4 },
  [0xdc] = { "array", 2 }, [0xdd] = { "array", 4 }, [0xde] = { "map", 2 }, [0xdf] = { "map", 4 },
}
local NUMBERS = { -- code: bytes, how to read them
  [0xca] = { 4, function(r) return r:float() end }, [0xcb] = { 8, function(r) return r:float() end },
  [0xcc] = { 1, function(r) return r:uint() end }, [0xcd] = { 2, function(r) return r:uint() end },
  [0xce] = { 4, function(r) return r:uint() end }, [0xcf] = { 8, function(r) return r:uint64() end },
  [0xd0] = { 1, function(r) return r:int() end }, [0xd1] = { 2, function(r) return r:int() end },
  [0xd2] = { 4, function(r) return r:int() end }, [0xd3] = { 8, function(r) return r:int64() end },
}
local EXTENSIONS = { [0xd4] = 1, [0xd5] = 2, [0xd6] = 4, [0xd7] = 8, [0xd8] = 16 }
local CONSTANTS = { [0xc0] = "nil", [0xc2] = "false", [0xc3] = "true" }

local function timestamp(range)
  local seconds, nanoseconds
  if range:len() == 4 then
    seconds, nanoseconds = range:uint(), 0
  elseif range:len() == 8 then
    local upper, lower = range(0, 4):uint(), range(4, 4):uint()
    nanoseconds, seconds = math.floor(upper / 4), (upper % 4) * 0x100000000 + lower
  elseif range:len() == 12 then
    nanoseconds = range(0, 4):uint()
    seconds = range(4, 4):int() * 0x100000000 + range(8, 4):uint()
  else
    return nil
  end
  local ok, text = pcall(os.date, "!%Y-%m-%dT%H:%M:%S", seconds)
  return ok and string.format("%s.%09dZ", text, nanoseconds) or nil
end

local function unpack_sized(buffer, start, at, tree, label, kind, size, depth)
  if kind == "array" or kind == "map" then
    return unpack_items(buffer, start, at, tree, label, size, depth, kind == "map")
  end
  local whole = kind == "ext" and size + 1 or size
  if not take(buffer, at, whole) then
    return nil, "it is cut off"
  end
  local range = buffer(start, at + whole - start)
  if kind == "str" then
    leaf(tree, label, range, '"' .. (size > 0 and buffer(at, size):string(ENC_UTF_8) or "") .. '"')
  elseif kind == "bin" then
    leaf(tree, label, range, size .. " bytes" .. (size > 0 and ": " .. buffer(at, math.min(size, 64)):bytes():tohex() or ""))
  else
    local type = buffer(at, 1):int()
    local moment = type == -1 and size > 0 and timestamp(buffer(at + 1, size)) or nil
    leaf(tree, label, range, moment or ("extension " .. type .. ", " .. size .. " bytes"))
  end
  return at + whole
end

unpack_value = function(buffer, at, tree, label, depth)
  if depth > DEEPEST then
    return nil, "it is nested too deeply"
  end
  if not take(buffer, at, 1) then
    return nil, "it is cut off"
  end
  local start, code = at, buffer(at, 1):uint()
  at = at + 1
  if code < 0x80 then
    leaf(tree, label, buffer(start, 1), tostring(code))
    return at
  elseif code >= 0xe0 then
    leaf(tree, label, buffer(start, 1), tostring(code - 0x100))
    return at
  elseif code < 0x90 then
    return unpack_sized(buffer, start, at, tree, label, "map", code - 0x80, depth)
  elseif code < 0xa0 then
    return unpack_sized(buffer, start, at, tree, label, "array", code - 0x90, depth)
  elseif code < 0xc0 then
    return unpack_sized(buffer, start, at, tree, label, "str", code - 0xa0, depth)
  elseif CONSTANTS[code] then
    leaf(tree, label, buffer(start, 1), CONSTANTS[code])
    return at
  elseif NUMBERS[code] then
    local size, read = NUMBERS[code][1], NUMBERS[code][2]
    if not take(buffer, at, size) then
      return nil, "it is cut off"
    end
    leaf(tree, label, buffer(start, 1 + size), tostring(read(buffer(at, size))))
    return at + size
  elseif EXTENSIONS[code] then
    return unpack_sized(buffer, start, at, tree, label, "ext", EXTENSIONS[code], depth)
  elseif SIZED[code] then
    local kind, width = SIZED[code][1], SIZED[code][2]
    if not take(buffer, at, width) then
      return nil, "it is cut off"
    end
    return unpack_sized(buffer, start, at + width, tree, label, kind, buffer(at, width):uint(), depth)
  end
  return nil, string.format("%#x is not a type", code)
end

