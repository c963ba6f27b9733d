// -- Errors ----------------------------------------------------------------------------------------------------------

/** The base of all errors of this module, beside those of connecting, which are Node's. */
export class ClientError extends Error {
  override name = "ClientError";
}

/** The server answered with an error reply. */
export class ErrorReply extends ClientError {
  override name = "ErrorReply";
  /** 1 to 7 are the daemon's, 1000 and above the handlers' own. */
  readonly code: number;
  /** What the server says about it. */
  readonly text: string;
  /** The message ID of the request. */
  readonly messageId: number;

  constructor(code: number, text: string, messageId: number) {
    const meaning = ERROR_CODES[code];
    super(`error ${code}${meaning === undefined ? "" : ` (${meaning})`}${text === "" ? "" : `: ${text}`}`);
    this.code = code;
    this.text = text;
    this.messageId = messageId;
  }
}

/** No reply came in time. The message may be handled all the same. */
export class TimeoutError extends ClientError {
  override name = "TimeoutError";
}

/** The connection has ended. The message may have been handled. */
export class ConnectionClosed extends ClientError {
  override name = "ConnectionClosed";
}

/** The connection has ended, and the message has certainly not been handled: it can be sent again. */
export class NotHandled extends ConnectionClosed {
  override name = "NotHandled";
}

/** What came cannot be a frame; or what is in it is not what was expected. */
export class ProtocolError extends ClientError {
  override name = "ProtocolError";
}

/** A value that cannot be sent as what it should be; nothing was sent. */
export class EncodingError extends ClientError {
  override name = "EncodingError";
}
