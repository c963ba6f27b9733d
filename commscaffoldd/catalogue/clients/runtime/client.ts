// -- A client --------------------------------------------------------------------------------------------------------

export interface ClientOptions<C extends Client> extends ConnectionOptions {
  /**
   * Called on each new connection before anything else is sent there: to log in, say. What it is given calls on that
   * connection; the client's own calls wait until it is done. It may take as long as connecting may.
   */
  onConnect?: (client: C) => Promise<unknown>;
}

/** A client with one connection at a time: it connects when it is first used, and anew after the server has gone. */
export class Client {
  readonly #options: ConnectionOptions;
  readonly #prepare: (connection: Connection) => Promise<unknown> | undefined;
  readonly #only: Connection | undefined;
  #connection: Promise<Connection> | undefined;
  #closed = false;

  /** `prepare` is called with each new connection; `only`: there is this one already, and there will be no other. */
  protected constructor(
    options: ConnectionOptions,
    prepare: (connection: Connection) => Promise<unknown> | undefined,
    only?: Connection,
  ) {
    this.#options = options;
    this.#prepare = prepare;
    this.#only = only;
  }

  /** Connect now, to see whether it works. Without this the first call does it. */
  async connect(): Promise<this> {
    await this.#usable();
    return this;
  }

  /** Send a message, and wait for its reply's body. */
  async callRaw(id: Uint, body: Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    const timeout = options?.timeout ?? this.#options.timeout ?? 5000;
    const end = Date.now() + timeout;
    for (let bound = 50; ; bound *= 2) {
      const connection = await this.#usable();
      try {
        return await connection.call(id, body, { timeout: Math.max(0, end - Date.now()) });
      } catch (error) {
        if (!(error instanceof NotHandled) || this.#closed || this.#only || Date.now() >= end) throw error;
      }
      // It went away: not all its clients shall come back at once, nor any of them without end.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(bound, end - Date.now())));
    }
  }

  /** Send a message, and wait for nothing. */
  async sendRaw(id: Uint, body: Uint8Array): Promise<void> {
    (await this.#usable()).send(id, body);
  }

  /** Send a message, and give its replies as they come. */
  async *streamRaw<T>(id: Uint, body: Uint8Array, reply: Body<T>, quiet?: number): AsyncGenerator<T, void, undefined> {
    const connection = await this.#usable();
    for await (const one of connection.stream(id, body, quiet)) yield reply.read(one);
  }

  /** Close the connection. Calls that wait fail with ConnectionClosed. */
  async close(): Promise<void> {
    this.#closed = true;
    const connection = this.#only ?? (await this.#connection?.catch(() => undefined));
    connection?.close();
  }

  async #usable(): Promise<Connection> {
    for (;;) {
      if (this.#closed) throw new ConnectionClosed("closed by the program");
      if (this.#only !== undefined) return this.#only;
      this.#connection ??= this.#open();
      const current = this.#connection;
      const connection = await current;
      if (connection.usable) return connection;
      if (this.#connection === current) this.#connection = undefined;
    }
  }

  async #open(): Promise<Connection> {
    try {
      const connection = await Connection.open(this.#options);
      const timeout = this.#options.timeout ?? 5000;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new TimeoutError(`onConnect was not done within ${timeout} ms`)), timeout);
      });
      try {
        await Promise.race([this.#prepare(connection), late]);
      } catch (error) {
        connection.close();
        throw error;
      } finally {
        clearTimeout(timer);
      }
      return connection;
    } catch (error) {
      this.#connection = undefined;
      throw error;
    }
  }
}
