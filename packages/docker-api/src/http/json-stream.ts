import type { ApiCall } from "./call.ts";
import { toWireError } from "./error-mapper.ts";
import { StreamWriter } from "./stream-writer.ts";

/**
 * A stream of JSON objects. The head goes out with the first of them or with {@link open}; until then an error can
 * still be an ordinary answer.
 */
export class JsonStream {
  readonly #call: ApiCall;
  readonly #separator: string;
  #writer: StreamWriter | undefined;

  /** @param separator what follows each object: `"\n"`, or `"\r\n"` in progress streams */
  constructor(call: ApiCall, separator = "\n") {
    this.#call = call;
    this.#separator = separator;
  }

  get opened(): boolean {
    return this.#writer !== undefined;
  }

  get closed(): boolean {
    return this.#writer?.closed ?? this.#call.response.destroyed;
  }

  /** Sends the head now, so that the client knows that it is served. */
  open(): StreamWriter {
    if (this.#writer === undefined) {
      const { response } = this.#call;
      response.writeHead(200, { "Content-Type": "application/json" });
      response.flushHeaders();
      this.#writer = new StreamWriter(response);
    }
    return this.#writer;
  }

  /** @returns a promise when the client is behind */
  write(value: unknown): Promise<void> | undefined {
    return this.writeText(JSON.stringify(value));
  }

  /** Like {@link write}, for what is JSON already. */
  writeText(json: string): Promise<void> | undefined {
    return this.open().push(Buffer.from(json + this.#separator));
  }

  /** Reports an error: in-band when the stream is open, else by throwing it on. */
  fail(thrown: unknown): void {
    if (this.#writer === undefined) throw thrown;
    const { message, remedy } = toWireError(thrown).body;
    void this.write({ errorDetail: { message }, error: message, ...(remedy === undefined ? {} : { remedy }) });
  }

  end(): void {
    this.open().end();
  }
}
