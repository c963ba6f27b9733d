// -- Frames ----------------------------------------------------------------------------------------------------------

/** A message ID, sequence or length: a bigint only where a number would not be exact. */
type Uint = number | bigint;

interface HeaderField {
  name: "length" | "id" | "sequence" | "crc32" | "magic" | "skip";
  offset: number;
  bytes: number;
  value?: Uint;
}

interface Layout {
  name: string;
  headerSize: number;
  /** What is added to the length field's value to get the size of the body. */
  bodyOffset: number;
  minBody: number;
  maxBody: number;
  littleEndian: boolean;
  fields: readonly HeaderField[];
}

interface Frame {
  id: Uint;
  sequence: Uint;
  body: Uint8Array;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(data: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of data) value = CRC_TABLE[(value ^ byte) & 0xff]! ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function readUint(data: Uint8Array, field: HeaderField): Uint {
  let value = 0n;
  for (let index = 0; index < field.bytes; index++) {
    const at = LAYOUT.littleEndian ? field.bytes - 1 - index : index;
    value = (value << 8n) | BigInt(data[field.offset + at] ?? 0);
  }
  return exact(value);
}

function writeUint(data: Uint8Array, field: HeaderField, value: Uint): void {
  let rest = BigInt(value);
  if (rest < 0n || rest >> BigInt(field.bytes * 8)) {
    throw new EncodingError(`${field.name} ${value} does not fit ${field.bytes} bytes`);
  }
  for (let index = field.bytes - 1; index >= 0; index--) {
    data[field.offset + (LAYOUT.littleEndian ? field.bytes - 1 - index : index)] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

function encodeFrame(id: Uint, sequence: Uint, body: Uint8Array): Uint8Array {
  if (body.length < LAYOUT.minBody || body.length > LAYOUT.maxBody) {
    throw new EncodingError(`a body of ${body.length} bytes does not fit: ${LAYOUT.minBody} to ${LAYOUT.maxBody}`);
  }
  const frame = new Uint8Array(LAYOUT.headerSize + body.length);
  for (const field of LAYOUT.fields) {
    if (field.name === "length") writeUint(frame, field, body.length - LAYOUT.bodyOffset);
    else if (field.name === "id") writeUint(frame, field, id);
    else if (field.name === "sequence") writeUint(frame, field, sequence);
    else if (field.name === "crc32") writeUint(frame, field, crc32(body));
    else if (field.name === "magic") writeUint(frame, field, field.value ?? 0);
  }
  frame.set(body, LAYOUT.headerSize);
  return frame;
}

/** Cuts a stream into frames. */
class FrameReader {
  readonly #maxBody: number;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #needed = LAYOUT.headerSize;

  constructor(maxBody: number) {
    this.#maxBody = maxBody;
  }

  /** The frames that are complete with this; throws ProtocolError where none can be. */
  *feed(chunk: Uint8Array): Generator<Frame, void, undefined> {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return;
    let data = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#needed = LAYOUT.headerSize;
    while (data.length >= LAYOUT.headerSize) {
      const size = this.#bodySize(data);
      const end = LAYOUT.headerSize + size;
      if (data.length < end) {
        this.#needed = end;
        break;
      }
      const frame = data.subarray(0, end);
      data = data.subarray(end);
      yield this.#frame(frame);
    }
    this.#chunks = data.length ? [data] : [];
    this.#size = data.length;
  }

  #bodySize(data: Uint8Array): number {
    let size = 0;
    for (const field of LAYOUT.fields) {
      if (field.name !== "length" && field.name !== "magic") continue;
      const value = readUint(data, field);
      if (field.name === "length") size = Number(value) + LAYOUT.bodyOffset;
      else if (value !== field.value) throw new ProtocolError(`${value} where ${field.value} must stand`);
    }
    if (size < 0 || size > this.#maxBody) throw new ProtocolError(`a frame with a body of ${size} bytes`);
    return size;
  }

  #frame(data: Uint8Array): Frame {
    const frame: Frame = { id: DEFAULT_ID, sequence: 0, body: new Uint8Array(data.subarray(LAYOUT.headerSize)) };
    for (const field of LAYOUT.fields) {
      if (field.name === "id") frame.id = readUint(data, field);
      else if (field.name === "sequence") frame.sequence = readUint(data, field);
      else if (field.name === "crc32" && readUint(data, field) !== crc32(frame.body)) {
        throw new ProtocolError("a frame with a wrong checksum");
      }
    }
    return frame;
  }
}
