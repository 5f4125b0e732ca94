import {
  type Clock,
  Internal,
  InvalidArgument,
  type Logger,
  NotFound,
  SingleFlight,
  Unavailable,
  Unsupported,
} from "@boxship/base";
import { type Digest, type FetchedManifest, isDigest } from "@boxship/oci";
import type { Store } from "@boxship/store";
import type { Metrics } from "../http/metrics.ts";
import { pageOf } from "../store/merge-pages.ts";
import type { ReferrerRecord } from "../store/records.ts";
import type { Page, PageRequest } from "../store/repository-index.ts";
import type { RepositoryStore, StoredManifest } from "../store/repository-store.ts";
import { BlobDownloads, type FollowedBlob } from "./blob-downloads.ts";
import { CachedReferrers } from "./cached-referrers.ts";
import { isOutage, staleWarning, Upstream, type UpstreamOptions } from "./upstream.ts";

export interface PullThroughParts {
  readonly upstreams: readonly UpstreamOptions[];
  readonly repositories: RepositoryStore;
  readonly index: Store;
  readonly metrics: () => Metrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Of more tags it is not remembered when they were looked up. */
const MOST_CHECKED = 10_000;

/** What is served, and what whoever asks should know about it. */
export interface Cached {
  readonly manifest: StoredManifest;
  readonly warning?: string;
}

/** What is told of as referrers, and what whoever asks should know about it. */
export interface Referrers {
  readonly manifests: AsyncIterable<ReferrerRecord>;
  readonly warning?: string;
}

/**
 * A cache of other registries. What is asked for is fetched once, however many ask, and kept; a tag is looked up again
 * when it is not fresh, and served as it was where the other registry does not answer.
 */
export class PullThrough implements AsyncDisposable {
  readonly #parts: PullThroughParts;
  readonly #upstreams: readonly Upstream[];
  readonly #looking = new SingleFlight<Cached>();
  readonly #downloads: BlobDownloads;
  readonly #referrers: CachedReferrers;
  readonly #checked = new Map<string, number>();

  constructor(parts: PullThroughParts) {
    const { upstreams, clock, logger, repositories, index } = parts;
    this.#parts = parts;
    // The longest prefix first: the most particular one is meant.
    this.#upstreams = upstreams
      .map((options) => new Upstream(options, clock, logger))
      .toSorted((a, b) => b.options.prefix.length - a.options.prefix.length);
    this.#downloads = new BlobDownloads(repositories);
    this.#referrers = new CachedReferrers(index, clock);
  }

  /** Undefined for a repository of our own. */
  upstream(repository: string): Upstream | undefined {
    return this.#upstreams.find(({ options: { prefix } }) => prefix === "" || repository.startsWith(`${prefix}/`));
  }

  /** Our name for a repository that a client knows by its registry's (`?ns=`); undefined where there is none. */
  repositoryOf(registry: string, path: string): string | undefined {
    const found = this.#upstreams.find(({ options }) => options.registry === registry);
    if (found === undefined) return undefined;
    const { prefix } = found.options;
    return prefix === "" ? path : `${prefix}/${path}`;
  }

  /** @throws Unsupported for a repository that only caches another's */
  refuseToChange(repository: string): void {
    const upstream = this.upstream(repository);
    // Without a prefix what is pushed stands beside what is cached.
    if (upstream === undefined || upstream.options.prefix === "") return;
    throw new Unsupported(`repository ${repository} is a copy of one of ${upstream.options.registry}`, {
      subject: { kind: "repository", name: repository },
      remedy: "push to the registry itself",
    });
  }

  /** @throws NotFound; Unavailable where it is not here and cannot be asked for */
  manifest(repository: string, reference: string): Promise<Cached> {
    const upstream = this.upstream(repository);
    if (upstream === undefined) return this.#here(repository, reference);
    return this.#looking.run(`${repository}@${reference}`, () => this.#manifest(upstream, repository, reference));
  }

  async #here(repository: string, reference: string): Promise<Cached> {
    return { manifest: await this.#parts.repositories.manifest(repository, reference) };
  }

  async #manifest(upstream: Upstream, repository: string, reference: string): Promise<Cached> {
    const { clock, repositories } = this.#parts;
    const metrics = this.#parts.metrics();
    const { registry } = upstream.options;
    const present = await this.#present(repository, reference);
    const key = `${repository}:${reference}`;
    const checked = this.#checked.get(key) ?? -Infinity;
    if (present !== undefined && (isDigest(reference) || clock.now() - checked < upstream.fresh)) {
      metrics.upstream(registry, "hit");
      return { manifest: present };
    }
    let found: FetchedManifest | undefined;
    try {
      const remote = upstream.reference(repository, reference);
      found = await upstream.ask(async (client) => {
        if (present !== undefined && (await client.resolve(remote)).digest === present.digest) return undefined;
        return client.manifest(remote);
      });
    } catch (error) {
      return await this.#withoutAnswer(upstream, repository, reference, present, error);
    }
    const manifest = found === undefined ? present : await this.#keep(repository, reference, found);
    if (manifest === undefined) throw new Internal(`manifest ${reference} was neither found nor here`);
    metrics.upstream(registry, manifest === present ? "hit" : "miss");
    if (this.#checked.size >= MOST_CHECKED) this.#checked.clear();
    this.#checked.set(key, clock.now());
    if (!isDigest(reference)) await repositories.touchTag(repository, reference, manifest.digest);
    return { manifest };
  }

  /** @throws Unavailable for what is no manifest, ResourceExhausted beyond the quota */
  async #keep(repository: string, reference: string, found: FetchedManifest): Promise<StoredManifest> {
    const mediaType = found.mediaType === "" ? undefined : found.mediaType;
    const { bytes, digest } = found;
    try {
      return await this.#parts.repositories.cacheManifest(repository, reference, bytes, mediaType, digest);
    } catch (error) {
      // It is not whoever asks here that is wrong.
      if (error instanceof InvalidArgument) throw new Unavailable(error.message, { cause: error });
      throw error;
    }
  }

  /** What is here, where the other registry cannot be asked. */
  async #withoutAnswer(
    upstream: Upstream,
    repository: string,
    reference: string,
    present: StoredManifest | undefined,
    error: unknown,
  ): Promise<Cached> {
    const { clock, repositories } = this.#parts;
    const metrics = this.#parts.metrics();
    const { registry } = upstream.options;
    if (error instanceof NotFound) {
      this.#checked.delete(`${repository}:${reference}`);
      if (present !== undefined) await repositories.deleteManifest(repository, reference);
      throw error;
    }
    if (!isOutage(error)) throw error;
    const age = clock.now() - ((await repositories.taggedAt(repository, reference)) ?? 0);
    if (present === undefined || age > upstream.stale) {
      metrics.upstream(registry, "failure");
      throw error;
    }
    metrics.upstream(registry, "stale");
    return { manifest: present, warning: staleWarning(upstream, age) };
  }

  async #present(repository: string, reference: string): Promise<StoredManifest | undefined> {
    try {
      return (await this.#here(repository, reference)).manifest;
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  /**
   * Sees that a blob is here, or on its way: then it can be followed.
   *
   * @throws NotFound, Unavailable
   */
  async blob(repository: string, digest: Digest): Promise<FollowedBlob | undefined> {
    const upstream = this.upstream(repository);
    if (upstream === undefined || (await this.#parts.repositories.own(repository, digest))) return undefined;
    this.#parts.metrics().upstream(upstream.options.registry, "miss");
    return this.#downloads.follow(upstream, repository, digest);
  }

  /** The tags there; those here where the other registry does not answer. */
  async tags(repository: string, page: PageRequest): Promise<Page> {
    const upstream = this.upstream(repository);
    if (upstream === undefined) return this.#parts.repositories.tags(repository, page);
    try {
      return pageOf(await upstream.ask((client) => client.tags(upstream.reference(repository))), page);
    } catch (error) {
      return this.#parts.repositories.tags(repository, page).catch(() => {
        throw error;
      });
    }
  }

  /**
   * What is told of as referrers of a digest: there, and pushed here, in the order of digests.
   *
   * @param after only those that follow this digest; empty for all
   * @throws Unavailable where neither is known
   */
  async referrers(repository: string, subject: Digest, after: string): Promise<Referrers> {
    const here = this.#parts.repositories.referrers(repository, subject, after);
    const upstream = this.upstream(repository);
    if (upstream === undefined) return { manifests: here };
    const { manifests, warning } = await this.#referrers.list(upstream, repository, subject);
    const there = manifests.filter(({ digest }) => digest > after).toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
    return { manifests: merged(there, here), ...(warning !== undefined && { warning }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#downloads[Symbol.asyncDispose]();
    await Promise.all(this.#upstreams.map((upstream) => upstream[Symbol.asyncDispose]()));
  }
}

/** Two ordered lists as one; of what is in both, the second's is told. */
async function* merged(
  first: readonly ReferrerRecord[],
  second: AsyncIterable<ReferrerRecord>,
): AsyncGenerator<ReferrerRecord> {
  let at = 0;
  for await (const record of second) {
    for (; at < first.length; at++) {
      const other = first[at];
      if (other === undefined || other.digest > record.digest) break;
      if (other.digest < record.digest) yield other;
    }
    yield record;
  }
  yield* first.slice(at);
}
