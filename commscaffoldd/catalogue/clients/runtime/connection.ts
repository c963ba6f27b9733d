// -- A connection ----------------------------------------------------------------------------------------------------

export interface ConnectionOptions {
  /** Where to connect; by default where the server was configured to listen. */
  host?: string;
  port?: number;
  /** The path of a unix socket, instead of host and port. */
  path?: string;
  /** Speak TLS, with these options of Node's `tls.connect`. */
  tls?: tls.ConnectionOptions;
  /** Milliseconds that connecting, and each call, may take; 5000 if not said. */
  timeout?: number;
  /** Milliseconds between heartbeats; 0: none are sent. */
  heartbeat?: number;
  /** The largest body that is accepted, in bytes; 64 MiB if not said. */
  maxBody?: number;
  /** Called with each message that answers no request. */
  onPush?: (messageId: number | bigint, body: Uint8Array) => void;
}

export interface CallOptions {
  /** Milliseconds; by default the client's. */
  timeout?: number;
}

interface Waiter {
  id: Uint;
  order: number;
  reply(body: Uint8Array): boolean;
  fail(error: Error): void;
}

const HAS_ID = LAYOUT.fields.some((field) => field.name === "id");
const SEQUENCE = LAYOUT.fields.find((field) => field.name === "sequence");
const LARGEST_SEQUENCE = SEQUENCE === undefined ? 0n : (1n << BigInt(SEQUENCE.bytes * 8)) - 1n;

/** One connection. `Client` makes them, and replaces one that has ended. */
export class Connection {
  readonly #socket: net.Socket;
  readonly #reader: FrameReader;
  readonly #options: ConnectionOptions;
  /** By sequence; in layouts without one by a number of their own, in the order in which they were sent. */
  readonly #waiters = new Map<Uint, Waiter>();
  readonly #timer: NodeJS.Timeout | undefined;
  #sequence = 0n;
  #order = 0;
  #answered = 0;
  #leaving = false;
  #ended: ConnectionClosed | ProtocolError | undefined;

  private constructor(socket: net.Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new FrameReader(options.maxBody ?? 64 * 1024 * 1024);
    // Text it could only be with an encoding set; not all versions of the types say that it could.
    socket.on("data", (chunk: Uint8Array | string) => this.#receive(chunk as Uint8Array));
    socket.on("error", (error) => this.#end(new ConnectionClosed(error.message)));
    socket.on("close", () => this.#end(new ConnectionClosed("the server closed the connection")));
    const interval = options.heartbeat ?? HEARTBEAT_INTERVAL;
    if (HAS_ID && interval > 0 && LAYOUT.minBody === 0) {
      this.#timer = setInterval(() => socket.write(encodeFrame(0, 0, new Uint8Array())), interval);
      this.#timer.unref();
    }
  }

  static open(options: ConnectionOptions): Promise<Connection> {
    const { path, host = DEFAULT_HOST, port = DEFAULT_PORT } = options;
    const where = path ?? (host === undefined && DEFAULT_PATH !== undefined ? DEFAULT_PATH : undefined);
    const target = where === undefined ? { host: host ?? "127.0.0.1", port: port ?? 0 } : { path: where };
    return new Promise((resolve, reject) => {
      const socket = options.tls ? tls.connect({ ...target, ...options.tls }) : net.connect(target);
      const timeout = options.timeout ?? 5000;
      const timer = setTimeout(() => socket.destroy(new TimeoutError(`no connection within ${timeout} ms`)), timeout);
      socket.once("error", reject);
      socket.once("close", () => clearTimeout(timer));
      socket.once(options.tls ? "secureConnect" : "connect", () => {
        clearTimeout(timer);
        socket.off("error", reject);
        socket.setNoDelay(true);
        resolve(new Connection(socket, options));
      });
    });
  }

  /** Whether something new can be asked here. */
  get usable(): boolean {
    return !this.#leaving && this.#ended === undefined;
  }

  /** Send a message and wait for its reply's body. */
  call(id: Uint, body: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const timeout = options.timeout ?? this.#options.timeout ?? 5000;
      const settle = (): void => clearTimeout(timer);
      const forget = this.#ask(id, body, {
        reply: (reply) => (settle(), resolve(reply), true),
        fail: (error) => (settle(), reject(error)),
      });
      const timer = setTimeout(() => {
        forget();
        reject(new TimeoutError(`no reply to message ${id} within ${timeout} ms`));
      }, timeout);
    });
  }

  /** Send a message and wait for nothing. */
  send(id: Uint, body: Uint8Array): void {
    this.#write(id, this.#next(), body);
  }

  /** Send a message and give all its replies, as they come. Nothing says which one is the last: break, or use `quiet`. */
  async *stream(id: Uint, body: Uint8Array, quiet?: number): AsyncGenerator<Uint8Array, void, undefined> {
    if (SEQUENCE === undefined) throw new EncodingError(`layout ${LAYOUT.name} has no sequence: streams need one`);
    const replies: Uint8Array[] = [];
    let failure: Error | undefined;
    let wake = (): void => undefined;
    const forget = this.#ask(id, body, {
      reply: (reply) => (replies.push(reply), wake(), false),
      fail: (error) => ((failure = error), wake()),
    });
    try {
      for (;;) {
        const reply = replies.shift();
        if (reply !== undefined) {
          yield reply;
          continue;
        }
        if (failure !== undefined) throw failure;
        let timer: NodeJS.Timeout | undefined;
        const silent = await new Promise<boolean>((resolve) => {
          wake = () => resolve(false);
          if (quiet !== undefined) timer = setTimeout(() => resolve(true), quiet);
        });
        clearTimeout(timer);
        if (silent) return;
      }
    } finally {
      forget();
    }
  }

  /** Close, once what was sent has left. Calls that wait fail. */
  close(): void {
    this.#end(new ConnectionClosed("closed by the program"));
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), 1000).unref(); // it does not wait longer for the server's end of it
  }

  #next(): Uint {
    if (SEQUENCE === undefined) return ++this.#order;
    if (BigInt(this.#waiters.size) >= LARGEST_SEQUENCE) throw new ClientError("all sequences wait for replies");
    do {
      this.#sequence = (this.#sequence % LARGEST_SEQUENCE) + 1n; // never 0: that is a push
    } while (this.#waiters.has(exact(this.#sequence)));
    return exact(this.#sequence);
  }

  #ask(id: Uint, body: Uint8Array, waiter: Pick<Waiter, "reply" | "fail">): () => void {
    const key = this.#next();
    const order = SEQUENCE === undefined ? Number(key) : ++this.#order;
    this.#write(id, key, body);
    const kept: Waiter = { id, order, ...waiter };
    this.#waiters.set(key, kept);
    if (SEQUENCE !== undefined && SEQUENCE.bytes > 2) return () => void this.#waiters.delete(key);
    // Its reply may still come, and must not be taken for a later one's: without a sequence, or with one that is reused soon.
    return () => Object.assign(kept, { reply: () => true, fail: () => undefined });
  }

  #write(id: Uint, sequence: Uint, body: Uint8Array): void {
    if (this.#ended !== undefined) throw new NotHandled(this.#ended.message);
    if (this.#leaving) throw new NotHandled("the server is going away");
    this.#socket.write(encodeFrame(id, sequence, body));
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const frame of this.#reader.feed(chunk)) this.#take(frame);
    } catch (error) {
      this.#end(error instanceof ProtocolError ? error : new ProtocolError(String(error)));
      this.#socket.destroy();
    }
  }

  #take(frame: Frame): void {
    const { id, sequence, body } = frame;
    if (HAS_ID && id === 0 && body.length === 0) return; // a heartbeat's answer
    if (GO_AWAY_ID !== undefined && id === GO_AWAY_ID && body.length === 0) {
      this.#leaving = true;
      return;
    }
    const isError = ERROR_ID !== undefined && id === ERROR_ID && body.length >= 6;
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const about = isError ? view.getUint32(0) : id;
    const key = SEQUENCE === undefined ? this.#oldest(about) : sequence;
    const waiter = key === undefined ? undefined : this.#waiters.get(key);
    const others = waiter !== undefined && !isError && HAS_ID && waiter.id != id; // a bigint may equal a number
    if (key === undefined || waiter === undefined || others) {
      if (!isError && !sequence) this.#options.onPush?.(id, body);
      return; // else it comes too late
    }
    this.#answered = Math.max(this.#answered, waiter.order);
    if (isError) {
      this.#waiters.delete(key);
      waiter.fail(new ErrorReply(view.getUint16(4), new TextDecoder().decode(body.subarray(6)), Number(about)));
    } else if (waiter.reply(body)) {
      this.#waiters.delete(key);
    }
  }

  /** Without a sequence a reply belongs to the oldest call with its ID. */
  #oldest(id: Uint): Uint | undefined {
    for (const [key, waiter] of this.#waiters) if (!HAS_ID || waiter.id == id) return key;
    return undefined;
  }

  #end(error: ConnectionClosed | ProtocolError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    clearInterval(this.#timer);
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const waiter of waiters) {
      // Messages are read in order: after the last one that was answered, none has been when the server goes away.
      const unread = this.#leaving && waiter.order > this.#answered;
      waiter.fail(unread ? new NotHandled("the server went away before this message") : error);
    }
  }
}
