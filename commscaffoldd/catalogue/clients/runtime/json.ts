// JSON.parse and JSON.stringify lose whole numbers beyond 2**53. So such a number goes through them as the text
// "#NUMBER", and text that begins with # gets another one in front.
const TOKENS = /"(?:[^"\\]|\\.)*"|(?<![\w.+-])-?\d{16,}(?![\d.eE])/g;
const MARKED = /^#-?\d+$/;

function toJson(value: Wire): string {
  const text = JSON.stringify(toPlain(value));
  return text.replace(/"(?:[^"\\]|\\.)*"/g, (token) =>
    token.startsWith('"##') ? `"${token.slice(2)}` : token.startsWith('"#') ? token.slice(2, -1) : token,
  );
}

function toPlain(value: Wire): unknown {
  if (typeof value === "bigint") return `#${value}`;
  if (typeof value === "string") return value.startsWith("#") ? `#${value}` : value;
  if (typeof value === "number" && !Number.isFinite(value)) throw new EncodingError(`JSON has no ${value}`);
  if (Array.isArray(value)) return value.map(toPlain);
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, item]) => [toPlain(String(key)), toPlain(item)]));
  }
  return value;
}

function fromJson(text: string): Wire {
  const marked = text.replace(TOKENS, (token) =>
    token.startsWith('"#') ? `"#${token.slice(1)}` : token.startsWith('"') ? token : `"#${token}"`,
  );
  try {
    return fromPlain(JSON.parse(marked));
  } catch (error) {
    throw error instanceof SyntaxError ? new ProtocolError(`not JSON: ${error.message}`) : error;
  }
}

function fromPlain(value: unknown): Wire {
  if (typeof value === "string") {
    if (!value.startsWith("#")) return value;
    return MARKED.test(value) ? exact(BigInt(value.slice(1))) : value.slice(1);
  }
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value === "object" && value !== null) {
    return new Map(
      Object.entries(value).map(([key, item]) => [key.startsWith("##") ? key.slice(1) : key, fromPlain(item)]),
    );
  }
  return value as Wire;
}
