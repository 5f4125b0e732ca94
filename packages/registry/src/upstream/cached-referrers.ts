import { type Clock, SingleFlight } from "@boxship/base";
import type { Digest } from "@boxship/oci";
import type { Store } from "@boxship/store";
import { keys } from "../store/keys.ts";
import { decodeRecord, encodeRecord, type ListedRecord, type ReferrerRecord } from "../store/records.ts";
import { isOutage, staleWarning, type Upstream } from "./upstream.ts";

/** Of more lists it is not remembered when they were looked up. */
const MOST_CHECKED = 10_000;

/** Bytes of one list that are kept: it is read for each who asks. */
const MOST_BYTES = 4 * 1024 * 1024;

/** What another registry tells of, and what whoever asks should know about it. */
export interface Listed {
  readonly manifests: readonly ReferrerRecord[];
  readonly warning?: string;
}

/** Other registries' lists of referrers, from their API or the tags that take its place. */
export class CachedReferrers {
  readonly #index: Store;
  readonly #clock: Clock;
  readonly #looking = new SingleFlight<Listed>();
  readonly #checked = new Map<string, number>();

  constructor(index: Store, clock: Clock) {
    this.#index = index;
    this.#clock = clock;
  }

  /** As the other registry tells, or told of when it does not answer. @throws Unavailable where that is not known */
  list(upstream: Upstream, repository: string, subject: Digest): Promise<Listed> {
    return this.#looking.run(`${repository}@${subject}`, () => this.#list(upstream, repository, subject));
  }

  async #list(upstream: Upstream, repository: string, subject: Digest): Promise<Listed> {
    const key = keys.listed(repository, subject);
    const now = this.#clock.now();
    const [item] = (await this.#index.range({ start: key })).items;
    const known = item && (decodeRecord(item) as ListedRecord);
    if (now - (this.#checked.get(key) ?? -Infinity) < upstream.fresh) return told(upstream, known);
    try {
      const { manifests } = await upstream.ask((client) => client.referrers(upstream.reference(repository), subject));
      const kept = fitting(manifests);
      const listed = { manifests: kept, pushedAt: now, ...(kept.length < manifests.length && { cut: true as const }) };
      await this.#keep(key, known, listed);
      return told(upstream, listed);
    } catch (error) {
      if (!isOutage(error) || known === undefined || now - known.pushedAt > upstream.stale) throw error;
      return { manifests: known.manifests, warning: staleWarning(upstream, now - known.pushedAt) };
    }
  }

  /** An empty list is remembered for a while only: whoever asks chooses the digest. */
  async #keep(key: string, known: ListedRecord | undefined, listed: ListedRecord): Promise<void> {
    if (this.#checked.size >= MOST_CHECKED) this.#checked.clear();
    this.#checked.set(key, listed.pushedAt);
    if (listed.manifests.length > 0) {
      await this.#index.transact({ success: [{ kind: "put", key, value: encodeRecord(listed) }] });
    } else if (known !== undefined) {
      await this.#index.transact({ success: [{ kind: "delete", range: { start: key } }] });
    }
  }
}

function told({ options: { registry } }: Upstream, listed: ListedRecord | undefined): Listed {
  const warning = `${registry} tells of more referrers than are kept here`;
  return { manifests: listed?.manifests ?? [], ...(listed?.cut === true && { warning }) };
}

function fitting(manifests: readonly ReferrerRecord[]): readonly ReferrerRecord[] {
  let size = 0;
  const end = manifests.findIndex((one) => (size += Buffer.byteLength(JSON.stringify(one))) > MOST_BYTES);
  return end === -1 ? manifests : manifests.slice(0, end);
}
