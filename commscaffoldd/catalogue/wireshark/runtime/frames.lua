-- -- Frames ---------------------------------------------------------------------------------------------------------

local function add_error(body, tree)
  local branch = tree:add(protocol, body, "Error reply")
  local code = body(4, 2):uint()
  branch:add(fields.error_id, body(0, 4))
  branch:add(fields.error_code, body(4, 2)):append_text(ERRORS[code] and " (" .. ERRORS[code] .. ")" or "")
  local text = body:len() > 6 and body(6):string(ENC_UTF_8) or ""
  branch:add(fields.error_text, body:len() > 6 and body(6) or body(5, 1), text)
  return "error " .. code .. (ERRORS[code] and " (" .. ERRORS[code] .. ")" or "") .. (text ~= "" and ": " .. text or "")
end

local function add_body(body, format, pinfo, tree)
  local branch = tree:add(fields.body, body)
  branch:append_text(" (" .. (FORMATS[format] or format) .. ", " .. body:len() .. " bytes)")
  if format == "str" then
    branch:add(fields.text, body, body:string(ENC_UTF_8))
  elseif format == "json" then
    branch:add(fields.text, body, body:string(ENC_UTF_8))
    local info, json = tostring(pinfo.cols.protocol), Dissector.get("json")
    if json then
      json:call(body:tvb(), pinfo, branch)
      pinfo.cols.protocol = info
    end
  elseif format == "msgpack" then
    local at, reason = unpack_value(body, 0, branch, "", 0)
    if not at or at < body:len() then
      branch:add_tvb_expert_info(wrong_body, body, "Not MessagePack: " .. (reason or "bytes are left after the value"))
    end
  end
end

-- What a frame is, in words: its kind, name, plugin and format.
local function meaning(listener, id, size, to_server)
  if id == 0 and listener.has_id and size == 0 then
    return "heartbeat", "heartbeat"
  elseif not to_server and listener.error_id and id == listener.error_id and size >= 6 then
    return "error reply", "error reply"
  elseif not to_server and listener.go_away_id and id == listener.go_away_id and size == 0 then
    return "go away", "go away"
  end
  local message = MESSAGES[id]
  local kind = to_server and "request" or "reply"
  if not message then
    return to_server and "request" or "push", "message " .. string.format("%.0f", id)
  end
  return kind, message.name, message.plugin, to_server and message.body or message.reply
end

local function dissect_frame(listener, frame, pinfo, tree, to_server)
  local id, sequence, crc = listener.default_id, nil, nil
  local branch = tree:add(protocol, frame)
  branch:add(fields.layout, frame(0, listener.header_size), listener.layout):set_generated()
  for _, field in ipairs(listener.fields) do
    local range = frame(field.at, field.bytes)
    if field.name == "skip" then
      branch:add(fields.skip, range)
    elseif field.name == "crc32" then
      crc = number_of(range, listener.little)
      branch:add(fields.crc32, range, crc)
    else
      branch:add(fields[field.name], range, uint64_of(range, listener.little))
      if field.name == "id" then
        id = number_of(range, listener.little)
      elseif field.name == "sequence" then
        sequence = number_of(range, listener.little)
      end
    end
  end
  local size = frame:len() - listener.header_size
  local body = size > 0 and frame(listener.header_size) or nil
  if crc then
    local computed = crc32(body)
    if computed then
      branch:add(fields.crc32_good, frame(0, listener.header_size), computed == crc):set_generated()
      if computed ~= crc then
        branch:add_proto_expert_info(wrong_crc)
      end
    end
  end
  local kind, name, plugin, format = meaning(listener, id, size, to_server)
  if kind == "reply" and sequence == 0 then
    kind = "push"
  end
  branch:add(fields.kind, frame(0, listener.header_size), kind):set_generated()
  branch:add(fields.message, frame(0, listener.header_size), name):set_generated()
  if plugin then
    branch:add(fields.plugin, frame(0, listener.header_size), plugin):set_generated()
  end
  local summary = kind == name and name or kind .. " " .. name
  if kind == "error reply" then
    summary = add_error(body, branch)
  elseif body then
    add_body(body, format or "bytes", pinfo, branch)
  end
  if sequence and sequence ~= 0 then
    summary = summary .. " #" .. string.format("%.0f", sequence)
  end
  branch:append_text(", " .. summary .. ", " .. size .. " bytes")
  return summary
end

-- How many bytes the frame has whose header this is; nil and why if it is none.
local function frame_size(listener, header)
  local size
  for _, field in ipairs(listener.fields) do
    local value = number_of(header(field.at, field.bytes), listener.little)
    if field.name == "length" then
      size = value + listener.body_offset
    elseif field.name == "magic" and value ~= field.value then
      return nil, string.format("%#x where %#x must stand", value, field.value)
    end
  end
  if size < 0 or size > MOST then
    return nil, string.format("a length that means a body of %.0f bytes", size)
  end
  return listener.header_size + size
end

local function dissector_of(listener)
  return function(buffer, pinfo, tree)
    pinfo.cols.protocol = "commscaffoldd"
    local summaries = {}
    local to_server = pinfo.dst_port == listener.port or pinfo.src_port ~= listener.port and pinfo.match_uint == pinfo.dst_port
    local at = 0
    while at < buffer:len() do
      local left = buffer:len() - at
      local size, reason = nil, nil
      if left >= listener.header_size then
        size, reason = frame_size(listener, buffer(at, listener.header_size))
        if not size then
          local rest = tree:add(protocol, buffer(at))
          rest:append_text(", not a frame")
          rest:add_tvb_expert_info(wrong_frame, buffer(at), "Not a frame: " .. reason)
          summaries[#summaries + 1] = "not a frame"
          break
        end
      end
      if not size or size > left then
        pinfo.desegment_offset = at
        pinfo.desegment_len = size and size - left or DESEGMENT_ONE_MORE_SEGMENT
        break
      end
      summaries[#summaries + 1] = dissect_frame(listener, buffer(at, size), pinfo, tree, to_server)
      at = at + size
    end
    if #summaries > 0 then
      pinfo.cols.info = table.concat(summaries, "; ")
    end
    return buffer:len()
  end
end

local tcp_ports = DissectorTable.get("tcp.port")
for index, listener in ipairs(LISTENERS) do
  local own = Proto("commscaffoldd_" .. index, TITLE .. ", layout " .. listener.layout)
  own.dissector = dissector_of(listener)
  if listener.port then
    tcp_ports:add(listener.port, own)
  else
    tcp_ports:add_for_decode_as(own)
  end
end
