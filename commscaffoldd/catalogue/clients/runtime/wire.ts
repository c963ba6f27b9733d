// -- Values on the wire: MessagePack and JSON ------------------------------------------------------------------------

type Wire = null | boolean | number | bigint | string | Uint8Array | Date | Wire[] | Map<Wire, Wire>;

const DEEPEST = 200;
const UTF8 = new TextEncoder();
const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A number where it is exact, else a bigint: each whole number has one form. */
function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

class Packer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;

  static pack(value: Wire): Uint8Array {
    const packer = new Packer();
    packer.#put(value, 0);
    return packer.#bytes.slice(0, packer.#size);
  }

  #room(size: number): number {
    const start = this.#size;
    this.#size += size;
    if (this.#size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#size, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return start;
  }

  #head(code: number, size: 0 | 1 | 2 | 4, value: number): void {
    const at = this.#room(1 + size);
    this.#view.setUint8(at, code);
    if (size === 1) this.#view.setUint8(at + 1, value);
    else if (size === 2) this.#view.setUint16(at + 1, value);
    else if (size === 4) this.#view.setUint32(at + 1, value);
  }

  #raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  #put(value: Wire, depth: number): void {
    if (depth > DEEPEST) throw new EncodingError("nested too deeply");
    if (value === null) this.#head(0xc0, 0, 0);
    else if (typeof value === "boolean") this.#head(value ? 0xc3 : 0xc2, 0, 0);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "bigint") this.#bigint(value);
    else if (typeof value === "string") this.#text(value);
    else if (value instanceof Uint8Array) this.#binary(value);
    else if (value instanceof Date) this.#date(value);
    else if (value instanceof Map) {
      const size = value.size;
      if (size < 16) this.#head(0x80 | size, 0, 0);
      else this.#head(size < 0x10000 ? 0xde : 0xdf, size < 0x10000 ? 2 : 4, size);
      for (const [key, item] of value) {
        this.#put(key, depth + 1);
        this.#put(item, depth + 1);
      }
    } else {
      const size = value.length;
      if (size < 16) this.#head(0x90 | size, 0, 0);
      else this.#head(size < 0x10000 ? 0xdc : 0xdd, size < 0x10000 ? 2 : 4, size);
      for (const item of value) this.#put(item, depth + 1);
    }
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      const at = this.#room(9);
      this.#view.setUint8(at, 0xcb);
      this.#view.setFloat64(at + 1, value);
    } else if (value >= 0) {
      if (value < 0x80) this.#head(value, 0, 0);
      else if (value < 0x100) this.#head(0xcc, 1, value);
      else if (value < 0x10000) this.#head(0xcd, 2, value);
      else if (value < 0x100000000) this.#head(0xce, 4, value);
      else this.#bigint(BigInt(value));
    } else if (value >= -32) this.#head(0x100 + value, 0, 0);
    else if (value >= -0x80) this.#head(0xd0, 1, value & 0xff);
    else if (value >= -0x8000) this.#head(0xd1, 2, value & 0xffff);
    else if (value >= -0x80000000) this.#head(0xd2, 4, value >>> 0);
    else this.#bigint(BigInt(value));
  }

  #bigint(value: bigint): void {
    if (value < -(2n ** 63n) || value >= 2n ** 64n) throw new EncodingError(`${value} does not fit 64 bits`);
    const at = this.#room(9);
    this.#view.setUint8(at, value < 0n ? 0xd3 : 0xcf);
    if (value < 0n) this.#view.setBigInt64(at + 1, value);
    else this.#view.setBigUint64(at + 1, value);
  }

  #text(value: string): void {
    const bytes = UTF8.encode(value);
    const size = bytes.length;
    if (size < 32) this.#head(0xa0 | size, 0, 0);
    else if (size < 0x100) this.#head(0xd9, 1, size);
    else this.#head(size < 0x10000 ? 0xda : 0xdb, size < 0x10000 ? 2 : 4, size);
    this.#raw(bytes);
  }

  #binary(value: Uint8Array): void {
    const size = value.length;
    if (size < 0x100) this.#head(0xc4, 1, size);
    else this.#head(size < 0x10000 ? 0xc5 : 0xc6, size < 0x10000 ? 2 : 4, size);
    this.#raw(value);
  }

  #date(value: Date): void {
    const milliseconds = value.getTime();
    if (Number.isNaN(milliseconds)) throw new EncodingError("an invalid Date");
    const seconds = Math.floor(milliseconds / 1000);
    const at = this.#room(15); // ext 8 of 12 bytes: nanoseconds, then seconds
    this.#view.setUint8(at, 0xc7);
    this.#view.setUint8(at + 1, 12);
    this.#view.setInt8(at + 2, -1);
    this.#view.setUint32(at + 3, (milliseconds - seconds * 1000) * 1_000_000);
    this.#view.setBigInt64(at + 7, BigInt(seconds));
  }
}

class Unpacker {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  static unpack(bytes: Uint8Array): Wire {
    const unpacker = new Unpacker(bytes);
    const value = unpacker.#value(0);
    if (unpacker.#at !== bytes.length) throw new ProtocolError("MessagePack: bytes are left after the value");
    return value;
  }

  #take(size: number): number {
    const start = this.#at;
    if (start + size > this.#bytes.length) throw new ProtocolError("MessagePack: the value is cut off");
    this.#at += size;
    return start;
  }

  #size(bytes: 1 | 2 | 4): number {
    const at = this.#take(bytes);
    return bytes === 1 ? this.#view.getUint8(at) : bytes === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #text(size: number): string {
    const at = this.#take(size);
    try {
      return STRICT_UTF8.decode(this.#bytes.subarray(at, at + size));
    } catch {
      throw new ProtocolError("MessagePack: text that is not UTF-8");
    }
  }

  #binary(size: number): Uint8Array {
    const at = this.#take(size);
    return this.#bytes.slice(at, at + size);
  }

  #array(size: number, depth: number): Wire[] {
    const items: Wire[] = []; // not of that size at once: it may be a lie
    for (let index = 0; index < size; index++) items.push(this.#value(depth + 1));
    return items;
  }

  #map(size: number, depth: number): Map<Wire, Wire> {
    const items = new Map<Wire, Wire>();
    for (let index = 0; index < size; index++) {
      const key = this.#value(depth + 1);
      items.set(key, this.#value(depth + 1));
    }
    return items;
  }

  #extension(size: number): Date {
    const type = this.#view.getInt8(this.#take(1));
    const at = this.#take(size);
    if (type !== -1 || (size !== 4 && size !== 8 && size !== 12)) {
      throw new ProtocolError(`MessagePack: an extension of type ${type} and ${size} bytes is not known`);
    }
    if (size === 4) return new Date(this.#view.getUint32(at) * 1000);
    if (size === 8) {
      const both = this.#view.getBigUint64(at);
      return new Date(Number(both & 0x3ffffffffn) * 1000 + Math.floor(Number(both >> 34n) / 1_000_000));
    }
    const seconds = Number(this.#view.getBigInt64(at + 4));
    return new Date(seconds * 1000 + Math.floor(this.#view.getUint32(at) / 1_000_000));
  }

  #value(depth: number): Wire {
    if (depth > DEEPEST) throw new ProtocolError("MessagePack: nested too deeply");
    const code = this.#view.getUint8(this.#take(1));
    if (code < 0x80) return code;
    if (code < 0x90) return this.#map(code & 0x0f, depth);
    if (code < 0xa0) return this.#array(code & 0x0f, depth);
    if (code < 0xc0) return this.#text(code & 0x1f);
    if (code >= 0xe0) return code - 0x100;
    switch (code) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return this.#binary(this.#size(1));
      case 0xc5: return this.#binary(this.#size(2));
      case 0xc6: return this.#binary(this.#size(4));
      case 0xc7: return this.#extension(this.#size(1));
      case 0xc8: return this.#extension(this.#size(2));
      case 0xc9: return this.#extension(this.#size(4));
      case 0xca: return this.#view.getFloat32(this.#take(4));
      case 0xcb: return this.#view.getFloat64(this.#take(8));
      case 0xcc: return this.#size(1);
      case 0xcd: return this.#size(2);
      case 0xce: return this.#size(4);
      case 0xcf: return exact(this.#view.getBigUint64(this.#take(8)));
      case 0xd0: return this.#view.getInt8(this.#take(1));
      case 0xd1: return this.#view.getInt16(this.#take(2));
      case 0xd2: return this.#view.getInt32(this.#take(4));
      case 0xd3: return exact(this.#view.getBigInt64(this.#take(8)));
      case 0xd4: return this.#extension(1);
      case 0xd5: return this.#extension(2);
      case 0xd6: return this.#extension(4);
      case 0xd7: return this.#extension(8);
      case 0xd8: return this.#extension(16);
      case 0xd9: return this.#text(this.#size(1));
      case 0xda: return this.#text(this.#size(2));
      case 0xdb: return this.#text(this.#size(4));
      case 0xdc: return this.#array(this.#size(2), depth);
      case 0xdd: return this.#array(this.#size(4), depth);
      case 0xde: return this.#map(this.#size(2), depth);
      case 0xdf: return this.#map(this.#size(4), depth);
      default: throw new ProtocolError(`MessagePack: ${code} is not a type`);
    }
  }
}
