import { Duplex } from "node:stream";
import { type ClientCall } from "@boxship/grpc";

interface Bytes {
  readonly data: Uint8Array;
}

type BytesCall = Pick<ClientCall<Bytes, Bytes>, "responses" | "send" | "endRequests"> & Disposable;

/** A call whose messages are pieces of a stream, as a stream. Destroying it gives the call up. */
export class CallStream extends Duplex {
  readonly #call: BytesCall;
  readonly #pieces: AsyncIterator<Bytes>;
  #reading = false;

  constructor(call: BytesCall) {
    super({ allowHalfOpen: true });
    this.#call = call;
    this.#pieces = call.responses[Symbol.asyncIterator]();
  }

  override _read(): void {
    if (!this.#reading) void this.#fill();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    void this.#send(chunk, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#call.endRequests();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#call[Symbol.dispose]();
    callback(error);
  }

  async #send(data: Uint8Array, callback: (error?: Error | null) => void): Promise<void> {
    try {
      await this.#call.send({ data });
      callback();
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #fill(): Promise<void> {
    this.#reading = true;
    try {
      for (let room = true; room; ) {
        const { value, done } = await this.#pieces.next();
        if (done === true) {
          this.push(null);
          return;
        }
        room = value.data.length === 0 || this.push(Buffer.from(value.data));
      }
    } catch (error) {
      this.destroy(error instanceof Error ? error : undefined);
    } finally {
      this.#reading = false;
    }
  }
}
