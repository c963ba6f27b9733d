interface Field {
  name: string;
  codec: Codec<unknown>;
  required: boolean;
  /** What an optional field is where it is missing, as JSON; where that is not known it is left out. */
  missing?: Wire;
}

interface Tag {
  name: string;
  value: string | number;
}

/** An object; on the wire a map, or an array in the fields' order. */
function record<T extends object>(form: "map" | "array", tag: Tag | null, fields: Field[]): Codec<T> {
  function encodeField(field: Field, value: object, json: boolean, path: string): Wire | undefined {
    const item: unknown = Object.hasOwn(value, field.name) ? (value as Record<string, unknown>)[field.name] : undefined;
    if (item !== undefined) return field.codec.encode(item, json, `${path}.${field.name}`);
    if (field.required) throw new EncodingError(`${path}.${field.name} is missing`);
    return undefined;
  }
  function encodeArray(value: object, json: boolean, path: string): Wire[] {
    const items: Wire[] = tag === null ? [] : [tag.value];
    const skipped: Field[] = [];
    for (const field of fields) {
      const item = encodeField(field, value, json, path);
      if (item === undefined) {
        skipped.push(field);
        continue;
      }
      for (const before of skipped.splice(0)) {
        if (before.missing === undefined) throw new EncodingError(`${path}.${before.name} is missing`);
        items.push(before.codec.encode(before.codec.decode(before.missing, true, path), json, path));
      }
      items.push(item);
    }
    return items;
  }
  function take(entries: [string, unknown][], field: Field, item: Wire | undefined, json: boolean, path: string): void {
    if (item !== undefined) entries.push([field.name, field.codec.decode(item, json, `${path}.${field.name}`)]);
    else if (field.required) throw new ProtocolError(`${path}.${field.name} is missing`);
    else if (field.missing !== undefined) entries.push([field.name, field.codec.decode(field.missing, true, path)]);
  }
  return {
    encode(value, json, path) {
      if (typeof value !== "object" || value === null) throw unsendable(path, "an object", value);
      if (tag !== null && Object.hasOwn(value, tag.name)) {
        const found = (value as Record<string, unknown>)[tag.name];
        if (found !== tag.value) throw unsendable(`${path}.${tag.name}`, String(tag.value), found);
      }
      if (form === "array") return encodeArray(value, json, path);
      const found = new Map<Wire, Wire>(tag === null ? [] : [[tag.name, tag.value]]);
      for (const field of fields) {
        const item = encodeField(field, value, json, path);
        if (item !== undefined) found.set(field.name, item);
      }
      return found;
    },
    decode(wire, json, path) {
      const isArray = form === "array";
      if (isArray ? !Array.isArray(wire) : !(wire instanceof Map)) {
        throw unexpected(path, isArray ? "an array" : "a map", wire);
      }
      const at = (name: string, index: number): Wire | undefined =>
        Array.isArray(wire) ? wire[index] : (wire as Map<Wire, Wire>).get(name);
      const entries: [string, unknown][] = [];
      if (tag !== null) {
        const found = at(tag.name, 0);
        if (found !== tag.value) throw unexpected(`${path}.${tag.name}`, String(tag.value), found ?? null);
        entries.push([tag.name, tag.value]);
      }
      fields.forEach((field, index) => take(entries, field, at(field.name, index + (tag === null ? 0 : 1)), json, path));
      return Object.fromEntries(entries) as T;
    },
  };
}

/** What a body is: how it is made of a value, and read. */
interface Body<T> {
  write(value: T): Uint8Array;
  read(body: Uint8Array): T;
}

const rawBody: Body<Uint8Array> = { write: (value) => value, read: (body) => body };

const textBody: Body<string> = {
  write: (value) => UTF8.encode(value),
  read(body) {
    try {
      return STRICT_UTF8.decode(body);
    } catch {
      throw new ProtocolError("body: text that is not UTF-8");
    }
  },
};

function packedBody<T>(codec: Codec<T>): Body<T> {
  return {
    write: (value) => Packer.pack(codec.encode(value, false, "body")),
    read: (body) => codec.decode(Unpacker.unpack(body), false, "body"),
  };
}

function jsonBody<T>(codec: Codec<T>): Body<T> {
  return {
    write: (value) => UTF8.encode(toJson(codec.encode(value, true, "body"))),
    read: (body) => codec.decode(fromJson(textBody.read(body)), true, "body"),
  };
}

/** For programs that read and write bodies of their own. */
export const codecs = {
  ...{ nothing, bool, int, bigint, float, text, bytes, date, dateOrText, anything },
  ...{ literal, array, tuple, map, dictionary, union, late, record },
  ...{ rawBody, textBody, packedBody, jsonBody },
};
