import { workerData } from "node:worker_threads";
import {
  BoxshipError,
  errorMessage,
  FailedPrecondition,
  Internal,
  postableError,
  ResourceExhausted,
} from "@boxship/base";
import { type Reply, type Request, serveBatches } from "./batch.ts";
import type { WriteRequest } from "./protocol.ts";
import { openForWriting } from "./schema.ts";
import { Writer } from "./writer.ts";

/** Pages of the log that are folded back into the file when nothing else is to do; SQLite itself does so at 4000. */
const LOG_PAGES = 1000;
/** SQLite's codes for a full file, and for a write, a truncation or shared memory that failed for want of space. */
const FULL = [13, 778, 1546, 4874, 5386];
const NOT_A_DATABASE = 26;

const { path, maxSize } = workerData as { readonly path: string; readonly maxSize: number };
const subject = { kind: "store", name: path };

function asStoreError(thrown: unknown): BoxshipError {
  if (thrown instanceof BoxshipError) return thrown;
  const { errcode = 0 } = thrown as { readonly errcode?: number };
  const details = { cause: thrown, subject };
  if (errcode === NOT_A_DATABASE) return new FailedPrecondition(`${path} is not a store`, details);
  if (!FULL.includes(errcode)) return new Internal(`store ${path}: ${errorMessage(thrown)}`, details);
  return new ResourceExhausted(`the store ${path} cannot grow: ${errorMessage(thrown)}`, {
    ...details,
    remedy: "make room on its disk; what it has can be read meanwhile",
  });
}

class Committer {
  readonly #database = openForWriting(path, maxSize);
  readonly #writer = new Writer(this.#database, maxSize);
  readonly #logSize = this.#database.prepare("PRAGMA wal_checkpoint(NOOP)");

  /** One transaction, durable when it returns. @throws BoxshipError when nothing of it was done */
  #committed<T>(work: () => T): T {
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      this.#writer.rolledBack();
      throw asStoreError(error);
    }
  }

  #reply({ id, request }: Request): Reply {
    try {
      const asked = request as WriteRequest | { readonly kind: "open" };
      return { id, reply: asked.kind === "open" ? this.#writer.opened() : this.#writer.apply(asked) };
    } catch (error) {
      // What a request refuses has changed nothing. Anything else may have, and takes the whole batch back.
      if (error instanceof BoxshipError) return { id, error: postableError(error) };
      throw error;
    }
  }

  answer(requests: readonly Request[]): readonly Reply[] {
    return this.#committed(() => requests.map((request) => this.#reply(request)));
  }

  idle(): boolean {
    try {
      return (
        this.#committed(() => this.#writer.sweep()) || this.#committed(() => this.#writer.vacuum()) || this.#fold()
      );
    } catch {
      // The disk is full: the next commit says so to somebody, and what is left over waits.
      return false;
    }
  }

  #fold(): boolean {
    const { log } = this.#logSize.get() as { readonly log: number };
    if (log > LOG_PAGES) this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    return false;
  }
}

let committer: Committer | undefined;

serveBatches(
  (requests) => {
    try {
      committer ??= new Committer();
      return committer.answer(requests);
    } catch (error) {
      const posted = postableError(asStoreError(error));
      return requests.map(({ id }) => ({ id, error: posted }));
    }
  },
  () => committer?.idle() ?? false,
);
