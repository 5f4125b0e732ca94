import { randomUUID } from "node:crypto";
import {
  type Clock,
  Conflict,
  InvalidArgument,
  NotFound,
  ResourceExhausted,
  systemClock,
  type Timer,
} from "@boxship/base";
import { type Digest, digestAlgorithm, type Ingest } from "@boxship/oci";
import { prefixRange, type Store } from "@boxship/store";
import type { BlobStore } from "../blobs/contract.ts";
import { quotaExceeded } from "../policy/quotas.ts";
import { keys } from "./keys.ts";
import { decodeRecord, encodeRecord, type UploadRecord } from "./records.ts";
import type { RepositoryStore } from "./repository-store.ts";

/** How long a file stays open for the next piece; afterwards what it has is hashed again when one comes. */
const IDLE = 60_000;
/** How long an upload may take up room without an end. */
const OLDEST = 24 * 60 * 60 * 1000;

interface Session {
  readonly repository: string;
  ingest: Ingest | undefined;
  busy: boolean;
  timer: Timer | undefined;
  /** Whether it is written down: it is from its first piece on, or when nobody goes on with it for a while. */
  recorded: boolean;
  readonly startedAt: number;
}

export interface UploadsOptions {
  readonly index: Store;
  readonly repositories: RepositoryStore;
  readonly clock?: Clock;
}

/** What is being pushed, in pieces; it goes on after a cut connection, and after a new start of the registry. */
export class Uploads implements AsyncDisposable {
  readonly #index: Store;
  readonly #repositories: RepositoryStore;
  readonly #content: BlobStore;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, Session>();
  /** Bytes of uploads that have not ended, as far as they are known. */
  readonly #held = new Map<string, number>();

  constructor({ index, repositories, clock = systemClock }: UploadsOptions) {
    this.#index = index;
    this.#repositories = repositories;
    this.#content = repositories.content;
    this.#clock = clock;
  }

  /** @returns the upload's id */
  async start(repository: string): Promise<string> {
    const id = randomUUID();
    const startedAt = this.#clock.now();
    const session: Session = {
      repository,
      ingest: undefined,
      busy: false,
      timer: undefined,
      recorded: false,
      startedAt,
    };
    this.#sessions.set(id, session);
    this.#restLater(id, session);
    return id;
  }

  /** How many bytes are there. @throws NotFound, Conflict while a piece is being written */
  offset(repository: string, id: string): Promise<number> {
    return this.#within(repository, id, async (ingest) => ingest.offset);
  }

  /**
   * Appends a piece. What arrived of one that is cut short stays.
   *
   * @param from where the sender thinks that it goes on; undefined: where it is
   * @returns how many bytes are there now
   * @throws NotFound, Conflict, InvalidArgument where `from` is somewhere else
   */
  append(repository: string, id: string, bytes: AsyncIterable<Uint8Array>, from?: number): Promise<number> {
    return this.#within(repository, id, async (ingest, session) => {
      checkPlace(ingest, from);
      await this.#record(id, session);
      await this.#write(ingest, id, repository, bytes);
      return ingest.offset;
    });
  }

  /**
   * Makes the upload a blob of its repository.
   *
   * @param from as of {@link append}
   * @throws NotFound, Conflict, InvalidArgument if it has another digest; then the upload is gone
   */
  async finish(
    repository: string,
    id: string,
    bytes: AsyncIterable<Uint8Array>,
    digest: Digest,
    from?: number,
  ): Promise<void> {
    using lease = this.#content.lease();
    lease.add(digest);
    // What is there already takes no more room.
    const present = (await this.#repositories.own(repository, digest))?.size;
    const size = await this.#within(repository, id, async (ingest, session) => {
      checkPlace(ingest, from);
      await this.#write(ingest, id, repository, bytes, present);
      if (digestAlgorithm(digest) !== "sha256") {
        await ingest[Symbol.asyncDispose]();
        session.ingest = ingest = await this.#content.ingest({ key: key(id), digest });
      }
      session.ingest = undefined;
      try {
        return (await ingest.commit(digest)).size;
      } catch (error) {
        if (error instanceof InvalidArgument) await this.#forget(id, repository);
        throw error;
      }
    });
    try {
      await this.#repositories.linkBlob(repository, digest, size, () => this.#hold(id, repository, 0));
    } finally {
      await this.#forget(id, repository);
    }
  }

  /**
   * @param free bytes that the upload may have in any case
   * @throws ResourceExhausted as soon as it is more than the repository may take, beside all that is coming
   */
  async #write(
    ingest: Ingest,
    id: string,
    repository: string,
    bytes: AsyncIterable<Uint8Array>,
    free = 0,
  ): Promise<void> {
    for await (const piece of bytes) {
      const size = ingest.offset + piece.byteLength;
      this.#hold(id, repository, size);
      if (size > free && this.#repositories.room(repository) < 0) {
        this.#hold(id, repository, 0);
        throw quotaExceeded(repository, this.#repositories.room(repository), size);
      }
      await ingest.write(piece);
    }
  }

  /** Counts what has arrived of an upload. */
  #hold(id: string, repository: string, bytes: number): void {
    const before = this.#held.get(id) ?? 0;
    if (bytes === 0) this.#held.delete(id);
    else this.#held.set(id, bytes);
    this.#repositories.expect(repository, bytes - before);
  }

  /** Uploads that have begun and not ended. */
  async count(): Promise<number> {
    const { count } = await this.#index.range(prefixRange(keys.uploads), { countOnly: true });
    return count + [...this.#sessions.values()].filter(({ recorded }) => !recorded).length;
  }

  /** @throws NotFound, Conflict */
  async cancel(repository: string, id: string): Promise<void> {
    await this.#within(repository, id, async (ingest, session) => {
      session.ingest = undefined;
      await ingest.abort();
    });
    await this.#forget(id, repository);
  }

  async #record(id: string, session: Session): Promise<void> {
    if (session.recorded) return;
    const record: UploadRecord = { repository: session.repository, startedAt: session.startedAt };
    await this.#index.transact({ success: [{ kind: "put", key: keys.upload(id), value: encodeRecord(record) }] });
    session.recorded = true;
  }

  async #forget(id: string, repository: string): Promise<void> {
    this.#hold(id, repository, 0);
    const session = this.#sessions.get(id);
    session?.timer?.[Symbol.dispose]();
    this.#sessions.delete(id);
    if (session?.recorded === false) return;
    await this.#index.transact({ success: [{ kind: "delete", range: { start: keys.upload(id) } }] });
  }

  async #session(repository: string, id: string): Promise<Session> {
    let session = this.#sessions.get(id);
    if (session === undefined) {
      const [item] = (await this.#index.range({ start: keys.upload(id) })).items;
      if (item !== undefined) {
        const record = decodeRecord(item) as UploadRecord;
        session = this.#sessions.get(id) ?? {
          repository: record.repository,
          ingest: undefined,
          busy: false,
          timer: undefined,
          recorded: true,
          startedAt: record.startedAt,
        };
        this.#sessions.set(id, session);
      }
    }
    if (session?.repository === repository) return session;
    throw new NotFound(`upload ${id} is not known in repository ${repository}`, {
      subject: { kind: "upload", name: id },
      remedy: "start a new one",
    });
  }

  /** One request at a time has the file. */
  async #within<T>(repository: string, id: string, work: (ingest: Ingest, session: Session) => Promise<T>): Promise<T> {
    const session = await this.#session(repository, id);
    if (session.busy) {
      throw new Conflict(`upload ${id} is being written by another request`, { subject: { kind: "upload", name: id } });
    }
    session.busy = true;
    session.timer?.[Symbol.dispose]();
    try {
      session.ingest ??= await this.#content.ingest({ key: key(id) });
      this.#hold(id, repository, session.ingest.offset);
      return await work(session.ingest, session);
    } catch (error) {
      // There is no room to go on from it: what it took is given back.
      if (error instanceof ResourceExhausted) await this.#giveUp(id, session);
      throw error;
    } finally {
      session.busy = false;
      this.#restLater(id, session);
    }
  }

  async #giveUp(id: string, session: Session): Promise<void> {
    await session.ingest?.abort();
    session.ingest = undefined;
    await this.#forget(id, session.repository).catch(() => {});
  }

  #restLater(id: string, session: Session): void {
    if (this.#sessions.get(id) !== session) return;
    session.timer = this.#clock.setTimeout(IDLE, () => void this.#rest(id, session).catch(() => {}));
  }

  /** Closes the file until the next piece comes. */
  async #rest(id: string, session: Session): Promise<void> {
    if (session.busy) return;
    await this.#record(id, session);
    if (session.busy || this.#sessions.get(id) !== session) return;
    const { ingest } = session;
    session.ingest = undefined;
    this.#sessions.delete(id);
    await ingest?.[Symbol.asyncDispose]();
  }

  /** Gives up uploads that nobody ended. @returns how many */
  async expire(): Promise<number> {
    const { items } = await this.#index.range(prefixRange(keys.uploads));
    const before = this.#clock.now() - OLDEST;
    let expired = 0;
    for (const item of items) {
      const { repository, startedAt } = decodeRecord(item) as UploadRecord;
      if (startedAt > before) continue;
      const id = item.key.slice(keys.uploads.length);
      if (this.#sessions.get(id)?.busy === true) continue;
      await this.cancel(repository, id);
      expired++;
    }
    return expired;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const sessions = [...this.#sessions.values()];
    // Clients go on after an orderly end.
    for (const [id, session] of this.#sessions) await this.#record(id, session).catch(() => {});
    this.#sessions.clear();
    for (const { timer, ingest } of sessions) {
      timer?.[Symbol.dispose]();
      await ingest?.[Symbol.asyncDispose]();
    }
  }
}

/** @throws InvalidArgument where a sender goes on at another place than where the upload is */
function checkPlace({ offset }: Ingest, from: number | undefined): void {
  if (from === undefined || from === offset) return;
  throw new InvalidArgument(`the upload goes on at byte ${offset}, not at ${from}`, {
    subject: { kind: "upload range", name: String(offset) },
  });
}

function key(id: string): string {
  return `upload ${id}`;
}
