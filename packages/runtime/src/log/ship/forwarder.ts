import { type Clock, errorMessage, type Logger, sleep } from "@boxship/base";
import { followLog, type LogPosition, placeBeforeEnd } from "../read-log.ts";
import { LineAssembler } from "./assemble-lines.ts";
import type { ConnectLog, LogConnection, LogMessage } from "./contract.ts";
import { PositionFile, type ShippedPosition } from "./position-file.ts";

export interface LogForwarderOptions {
  /** The log, see `readLog`. */
  readonly path: string;
  /** Where it is kept how far the log was sent. */
  readonly positionPath: string;
  /** Resolves when nothing more will be written: then the rest is sent, and {@link LogForwarder.done} resolves. */
  readonly ended: Promise<unknown>;
  readonly connect: ConnectLog;
  /** Most bytes of the log that wait to be sent; the oldest beyond are left out. @default what the log's files hold */
  readonly maxBacklog?: number;
  /** For the engine's own log: the container's name and where its log goes. */
  readonly subject: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 15_000;
const GRACE_MS = 500;
/** A server that takes longer for a batch may be one that is falling behind. */
const LATE_MS = 100;
/** So many are encoded in one turn of the event loop. */
const BATCH = 256;

/**
 * Sends a container's log to a server, from the file that conmon writes. The container never waits for it.
 *
 * What is guaranteed: every entry is sent at least once and in order, as long as it is in one of the log's files when the
 * server can be reached again. How far was sent is kept in a file after each batch (at most 256 messages), so that a
 * `kill -9` of the engine repeats at most one batch, and so does a connection that breaks. Where the protocol has no
 * acknowledgement, what the kernel has taken for a connection that then breaks may be lost.
 */
export class LogForwarder implements AsyncDisposable {
  readonly #options: LogForwarderOptions;
  /** No more is read. */
  readonly #finish = new AbortController();
  /** Not even what is on its way is waited for. */
  readonly #stop = new AbortController();
  readonly #passed = new Set<string>();
  #connection: LogConnection | undefined;
  /** Resolves when all was sent, or when it was disposed. Never rejects. */
  readonly done: Promise<void>;

  constructor(options: LogForwarderOptions) {
    this.#options = options;
    this.done = this.#run().catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      options.logger.error("log is not forwarded any more", { ...options.subject, error: errorMessage(error) });
    });
  }

  /** Whether a file of the log, by its identity, is still to be sent or in part. */
  needs(identity: string): boolean {
    return !this.#passed.has(identity);
  }

  /** Stops after what is on its way, if it arrives soon; otherwise the next forwarder will send it again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#finish.abort();
    const late = new AbortController();
    await Promise.race([this.done, sleep(this.#options.clock, GRACE_MS, late.signal).catch(() => {})]);
    late.abort();
    this.#stop.abort();
    await this.#disconnect();
    await this.done;
  }

  async #run(): Promise<void> {
    await using file = await PositionFile.open(this.#options.positionPath);
    const assembler = new LineAssembler(file.position?.lines);
    try {
      let last: ShippedPosition | undefined = file.position;
      for (let over = false; !over; ) {
        over = true;
        for await (const step of this.#steps(last, assembler)) {
          last = step.position;
          await file.save(last);
          if (step.skipped) over = false;
        }
      }
      if (this.#finish.signal.aborted) return;
      const rest = assembler.flush();
      if (rest.length === 0 || last === undefined) return;
      await this.#deliver(rest);
      await file.save({ ...last, lines: {} });
    } finally {
      await this.#disconnect();
    }
  }

  /** Sends what there is and what comes; after a step that skipped something it has to be called again. */
  async *#steps(from: LogPosition | undefined, assembler: LineAssembler): AsyncGenerator<Step> {
    const { path, ended } = this.#options;
    const { signal } = this.#finish;
    const following = followLog({
      path,
      follow: ended,
      signal,
      onPassed: (identity) => this.#passed.add(identity),
      ...(from === undefined ? {} : { from }),
    });
    for await (const { block, position } of following) {
      for (let index = 0; index < block.length; ) {
        const messages: LogMessage[] = [];
        while (index < block.length && messages.length < BATCH) messages.push(...assembler.add(block, index++));
        const late = await this.#deliver(messages);
        if (late === "given up") return;
        const back = index === block.length ? 0 : block.bytes.length - block.lineEnd(index - 1);
        const reached = { identity: position.identity, offset: position.offset - back };
        yield { position: { ...reached, lines: assembler.save() }, skipped: false };
        if (signal.aborted) return;
        const skip = late === "late" ? await this.#tooFarBehind(reached) : undefined;
        if (skip === undefined) continue;
        yield { position: { ...skip, lines: {} }, skipped: true };
        return;
      }
    }
  }

  async #tooFarBehind(reached: LogPosition): Promise<LogPosition | undefined> {
    const { path, maxBacklog, logger, subject } = this.#options;
    if (maxBacklog === undefined) return undefined;
    const skip = await placeBeforeEnd(path, reached, maxBacklog);
    if (skip === undefined) return undefined;
    logger.warn("log entries were not forwarded: too many were waiting", { ...subject, bytes: skip.skipped });
    return skip.position;
  }

  /** Sends, and goes on trying until it worked or the forwarder is disposed. */
  async #deliver(messages: readonly LogMessage[]): Promise<"in time" | "late" | "given up"> {
    const { clock, logger, subject } = this.#options;
    const { signal } = this.#finish;
    if (messages.length === 0) return "in time";
    for (let wait = FIRST_RETRY_MS; ; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
      try {
        const begun = clock.monotonic();
        const connection = await this.#connected();
        await connection.send(messages);
        if (wait > FIRST_RETRY_MS) logger.info("log is forwarded again", subject);
        return wait > FIRST_RETRY_MS || clock.monotonic() - begun > LATE_MS ? "late" : "in time";
      } catch (error) {
        await this.#disconnect();
        if (signal.aborted) return "given up";
        if (wait === FIRST_RETRY_MS) {
          logger.warn("log cannot be forwarded now", { ...subject, error: errorMessage(error) });
        }
        await sleep(clock, wait, signal).catch(() => {});
        if (signal.aborted) return "given up";
      }
    }
  }

  async #connected(): Promise<LogConnection> {
    if (this.#connection?.open === false) await this.#disconnect();
    this.#connection ??= await this.#options.connect(this.#stop.signal);
    return this.#connection;
  }

  async #disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.[Symbol.asyncDispose]();
  }
}

interface Step {
  readonly position: ShippedPosition;
  readonly skipped: boolean;
}
