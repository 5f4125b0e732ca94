import type { Readable } from "node:stream";
import { type Clock, DeadlineExceeded, ResourceExhausted, systemClock, systemCode } from "@boxship/base";
import { readableFrom, writableTo } from "./descriptor-stream.ts";
import { pipe } from "./pipe.ts";
import { type ExitStatus, type Process, spawnProcess } from "./process.ts";
import { signalNumber } from "./signals.ts";
import type { SpawnOptions } from "./spawn.ts";

export interface RunOptions extends Omit<SpawnOptions, "stdio"> {
  /** Standard input. @default empty */
  readonly input?: string | Uint8Array;
  /** Most bytes that are taken from each of standard output and standard error. @default 1 MiB */
  readonly maxOutput?: number;
  /** Milliseconds until the process is killed. @default no limit */
  readonly timeout?: number;
  /** Kills the process and rejects with the signal's reason when aborted. */
  readonly signal?: AbortSignal;
  /** @default systemClock */
  readonly clock?: Clock;
}

export type RunResult = ExitStatus & { readonly stdout: Buffer; readonly stderr: Buffer };

const MEBIBYTE = 1 << 20;

/**
 * Runs a process to its end and collects its output. Any exit status is a result, not an error; resolves once the process
 * has ended and both outputs are closed (by its own children too).
 *
 * Throws a SyscallError when the file cannot be executed, DeadlineExceeded after the timeout, ResourceExhausted when the
 * output is larger than allowed; the process is dead in both cases.
 */
export async function runProcess(options: RunOptions): Promise<RunResult> {
  using input = pipe();
  using output = pipe();
  using errors = pipe();
  options.signal?.throwIfAborted();
  const child = spawnProcess({ ...options, stdio: { 0: input.readEnd, 1: output.writeEnd, 2: errors.writeEnd } });
  input.readEnd.close();
  output.writeEnd.close();
  errors.writeEnd.close();
  const streams = [readableFrom(output.readEnd), readableFrom(errors.readEnd)] as const;
  const guard = new Guard(child, streams, options);
  try {
    feed(input.writeEnd, options.input);
    const limit = options.maxOutput ?? MEBIBYTE;
    const [status, stdout, stderr] = await guard.race(
      Promise.all([child.exited, collect(streams[0], limit), collect(streams[1], limit)]),
    );
    return { ...status, stdout, stderr };
  } catch (error) {
    await guard.end();
    throw error;
  } finally {
    guard[Symbol.dispose]();
  }
}

function feed(writeEnd: Parameters<typeof writableTo>[0], bytes: string | Uint8Array | undefined): void {
  if (bytes === undefined || bytes.length === 0) {
    writeEnd.close();
    return;
  }
  const stream = writableTo(writeEnd);
  // A program that ends without reading its input is no failure of ours; other errors show in its exit status.
  stream.on("error", () => stream.destroy());
  stream.end(bytes);
}

async function collect(stream: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw new ResourceExhausted(`output is larger than ${limit} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (systemCode(error) !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
  return Buffer.concat(chunks);
}

/** Ends a process early: on the deadline, or when the caller loses interest. */
class Guard implements Disposable {
  readonly #child: Process;
  readonly #streams: readonly Readable[];
  readonly #failure = Promise.withResolvers<never>();
  readonly #cleanup: (() => void)[] = [];

  constructor(child: Process, streams: readonly Readable[], options: RunOptions) {
    this.#child = child;
    this.#streams = streams;
    const { timeout, signal, file, clock = systemClock } = options;
    if (timeout !== undefined) {
      const timer = clock.setTimeout(timeout, () =>
        this.#failure.reject(new DeadlineExceeded(`${file} did not end within ${timeout} ms`)),
      );
      this.#cleanup.push(() => timer[Symbol.dispose]());
    }
    if (signal !== undefined) {
      const onAbort = () => this.#failure.reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#cleanup.push(() => signal.removeEventListener("abort", onAbort));
    }
  }

  race<T>(work: Promise<T>): Promise<T> {
    // Losing the race must not turn into an unhandled rejection.
    work.catch(() => {});
    return Promise.race([work, this.#failure.promise]);
  }

  /** Kills the process and waits until it is reaped. */
  async end(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    this.#child.kill(signalNumber("KILL"));
    await this.#child.exited;
  }

  [Symbol.dispose](): void {
    for (const step of this.#cleanup) step();
  }
}
