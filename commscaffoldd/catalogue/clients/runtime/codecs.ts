// -- From values of the program's types to those of the wire, and back -----------------------------------------------

/** What a type looks like on the wire. `json`: bytes are base64 there, dates are text, and so are keys of maps. */
interface Codec<T> {
  encode(value: unknown, json: boolean, path: string): Wire;
  decode(wire: Wire, json: boolean, path: string): T;
}

function shown(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (value instanceof Map) return "a map";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Date) return "a date";
  return typeof value === "object" ? "an object" : `${typeof value} ${String(value).slice(0, 40)}`;
}

function unsendable(path: string, wanted: string, value: unknown): EncodingError {
  return new EncodingError(`${path}: ${wanted} is needed, not ${shown(value)}`);
}

function unexpected(path: string, wanted: string, value: unknown): ProtocolError {
  return new ProtocolError(`${path}: ${wanted} was expected, not ${shown(value)}`);
}

/** A codec of values that are the same on the wire. */
function plain<T extends Wire>(wanted: string, fits: (value: unknown) => value is T): Codec<T> {
  return {
    encode(value, _json, path) {
      if (fits(value)) return value;
      throw unsendable(path, wanted, value);
    },
    decode(wire, _json, path) {
      if (fits(wire)) return wire;
      throw unexpected(path, wanted, wire);
    },
  };
}

const nothing = plain("null", (value): value is null => value === null);
const bool = plain("true or false", (value): value is boolean => typeof value === "boolean");
const float = plain("a number", (value): value is number => typeof value === "number");
const text = plain("text", (value): value is string => typeof value === "string");
const int = plain("a whole number of at most 53 bits", (value): value is number => Number.isSafeInteger(value));

const bigint: Codec<bigint> = {
  encode(value, _json, path) {
    if (typeof value === "bigint") return exact(value);
    throw unsendable(path, "a bigint", value);
  },
  decode(wire, _json, path) {
    if (typeof wire === "bigint") return wire;
    if (Number.isSafeInteger(wire)) return BigInt(wire as number);
    throw unexpected(path, "a whole number", wire);
  },
};

const bytes: Codec<Uint8Array> = {
  encode(value, json, path) {
    if (!(value instanceof Uint8Array)) throw unsendable(path, "an Uint8Array", value);
    return json ? Buffer.from(value).toString("base64") : value;
  },
  decode(wire, json, path) {
    if (json && typeof wire === "string") return new Uint8Array(Buffer.from(wire, "base64"));
    if (wire instanceof Uint8Array) return wire;
    throw unexpected(path, "bytes", wire);
  },
};

const date: Codec<Date> = {
  encode(value, json, path) {
    if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw unsendable(path, "a valid Date", value);
    return json ? value.toISOString() : value;
  },
  decode(wire, json, path) {
    const found = json && typeof wire === "string" ? new Date(wire) : wire;
    if (found instanceof Date && !Number.isNaN(found.getTime())) return found;
    throw unexpected(path, "a date and time", wire);
  },
};

/** A date with a time zone is a Date, one without is text, since a Date always means a moment. */
const dateOrText: Codec<Date | string> = {
  encode: (value, json, path) => (typeof value === "string" ? value : date.encode(value, json, path)),
  decode(wire, json, path) {
    if (typeof wire === "string" && !(json && /(?:Z|[+-]\d\d:\d\d)$/.test(wire))) return wire;
    return date.decode(wire, json, path);
  },
};

function literal<const T extends readonly (null | boolean | number | bigint | string)[]>(
  ...values: T
): Codec<T[number]> {
  return plain(`one of ${values.map(String).join(", ")}`, (value): value is T[number] => values.includes(value as never));
}

function array<T>(item: Codec<T>): Codec<T[]> {
  return {
    encode(value, json, path) {
      if (!Array.isArray(value)) throw unsendable(path, "an array", value);
      return value.map((one, index) => item.encode(one, json, `${path}[${index}]`));
    },
    decode(wire, json, path) {
      if (!Array.isArray(wire)) throw unexpected(path, "an array", wire);
      return wire.map((one, index) => item.decode(one, json, `${path}[${index}]`));
    },
  };
}

function tuple<T extends unknown[]>(...items: { [K in keyof T]: Codec<T[K]> }): Codec<T> {
  return {
    encode(value, json, path) {
      if (!Array.isArray(value) || value.length !== items.length) {
        throw unsendable(path, `an array of ${items.length}`, value);
      }
      return items.map((item, index) => item.encode(value[index], json, `${path}[${index}]`));
    },
    decode(wire, json, path) {
      if (!Array.isArray(wire) || wire.length !== items.length) {
        throw unexpected(path, `an array of ${items.length}`, wire);
      }
      return items.map((item, index) => item.decode(wire[index] as Wire, json, `${path}[${index}]`)) as T;
    },
  };
}

function decodeKey<K>(key: Codec<K>, wire: Wire, json: boolean, path: string): K {
  if (json && typeof wire === "string" && /^-?\d+$/.test(wire)) {
    try {
      return key.decode(exact(BigInt(wire)), json, path);
    } catch {
      // a key that is text, and consists of digits
    }
  }
  return key.decode(wire, json, path);
}

function map<K, V>(key: Codec<K>, item: Codec<V>): Codec<Map<K, V>> {
  return {
    encode(value, json, path) {
      if (!(value instanceof Map)) throw unsendable(path, "a Map", value);
      const found = new Map<Wire, Wire>();
      for (const [one, inside] of value) {
        const name = key.encode(one, json, `${path}, a key`);
        found.set(json ? String(name) : name, item.encode(inside, json, `${path}[${String(one)}]`));
      }
      return found;
    },
    decode(wire, json, path) {
      if (!(wire instanceof Map)) throw unexpected(path, "a map", wire);
      const found = new Map<K, V>();
      for (const [name, inside] of wire) {
        found.set(decodeKey(key, name, json, `${path}, a key`), item.decode(inside, json, `${path}[${String(name)}]`));
      }
      return found;
    },
  };
}

function dictionary<V>(item: Codec<V>): Codec<Record<string, V>> {
  const inner = map(text, item);
  return {
    encode(value, json, path) {
      if (typeof value !== "object" || value === null) throw unsendable(path, "an object", value);
      return inner.encode(new Map(Object.entries(value)), json, path);
    },
    decode: (wire, json, path) => Object.fromEntries(inner.decode(wire, json, path)),
  };
}

/** The first of these that fits. */
function union<T extends unknown[]>(...options: { [K in keyof T]: Codec<T[K]> }): Codec<T[number]> {
  function first<R>(attempt: (option: Codec<T[number]>) => R): R {
    const failures: string[] = [];
    for (const option of options) {
      try {
        return attempt(option);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        failures.push(error.message);
      }
    }
    throw new Error(failures.join("; or "));
  }
  return {
    encode(value, json, path) {
      try {
        return first((option) => option.encode(value, json, path));
      } catch (error) {
        throw new EncodingError(error instanceof Error ? error.message : path);
      }
    },
    decode(wire, json, path) {
      try {
        return first((option) => option.decode(wire, json, path));
      } catch (error) {
        throw new ProtocolError(error instanceof Error ? error.message : path);
      }
    },
  };
}

/** A codec that is needed before it is there: of a type that contains itself. */
function late<T>(codec: () => Codec<T>): Codec<T> {
  return {
    encode: (value, json, path) => codec().encode(value, json, path),
    decode: (wire, json, path) => codec().decode(wire, json, path),
  };
}

const anything: Codec<unknown> = {
  encode(value, json, path) {
    if (value instanceof Uint8Array) return bytes.encode(value, json, path);
    if (value instanceof Date) return date.encode(value, json, path);
    if (Array.isArray(value)) return value.map((one, index) => anything.encode(one, json, `${path}[${index}]`));
    if (value instanceof Map) return map(anything, anything).encode(value, json, path);
    if (typeof value === "object" && value !== null) return dictionary(anything).encode(value, json, path);
    if (["boolean", "number", "bigint", "string"].includes(typeof value) || value === null) return value as Wire;
    throw unsendable(path, "something that can be sent", value);
  },
  decode(wire, json, path) {
    if (Array.isArray(wire)) return wire.map((one) => anything.decode(one, json, path));
    if (!(wire instanceof Map)) return wire;
    const found = new Map([...wire].map(([key, item]) => [key, anything.decode(item, json, path)] as const));
    return [...found.keys()].every((key) => typeof key === "string") ? Object.fromEntries(found) : found;
  },
};
